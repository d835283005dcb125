#!/usr/bin/env python3
"""Makes findings (see ../compare.py) of what gcovr says has not been run.

usage: uncovered.py REPORT.json

A finding is "line" or "branch", the file, the function, and the text of the line. Of a
line that was never run the branches are not told.
"""

import bisect
import json
import sys


def functions_of(file):
    """Returns the lines on which the functions of a file begin, in order, and their names."""
    found = sorted({(function['lineno'], function['name']) for function in file['functions']})
    return [line for line, _ in found], [name for _, name in found]


def report(kind, file, line, text, function):
    print(f'{kind} {file}, {function}: {text}\t{file}:{line}')


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding='utf-8') as file:
        files = json.load(file)['files']
    for file in files:
        starts, names = functions_of(file)
        with open(file['file'], encoding='utf-8') as source:
            texts = [line.strip() for line in source]
        for line in file['lines']:
            if line['gcovr/noncode']:
                continue
            number = line['line_number']
            function = names[bisect.bisect_right(starts, number) - 1]
            if line['count'] == 0:
                report('line', file['file'], number, texts[number - 1], function)
                continue
            for branch in line['branches']:
                if branch['count'] == 0:
                    report('branch', file['file'], number, texts[number - 1], function)


main()
