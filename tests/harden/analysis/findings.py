#!/usr/bin/env python3
"""Makes findings (see ../compare.py) of the warnings of a compiler, or of a tool that
prints them alike.

usage: findings.py KIND FOLDER <OUTPUT

FOLDER is what relative names of files in OUTPUT are relative to. A finding is KIND, the
file, the name of the check, and the line of the file: no number, which would not stay.
"""

import os
import re
import sys

WARNING = re.compile(r'(?P<file>[^\s:]+):(?P<line>\d+):(?P<column>\d+): '
                     r'(?:warning|error): (?P<text>.*?)(?: \[(?P<check>[^]\s]+)\])?$')
COLOR = re.compile(r'\x1b\[[0-9;]*[mK]')


def line_of(path, number):
    """Returns a line of a file, or nothing if there is none."""
    with open(path, encoding='utf-8') as file:
        lines = file.readlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ''


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    kind, folder = sys.argv[1:]
    seen = set()
    for line in sys.stdin:
        line = line.rstrip('\n').rpartition('\r')[2]  # what follows a progress bar
        found = WARNING.match(COLOR.sub('', line))
        if not found or found.group() in seen:
            continue
        seen.add(found.group())
        path = os.path.relpath(os.path.normpath(os.path.join(folder, found['file'])))
        place = f'{path}:{found["line"]}:{found["column"]}'
        text = line_of(path, int(found['line']))
        check = found['check'] or 'error'
        print(f'{kind} {path} [{check}] {text}\t{place}: {found["text"]} [{check}]')


main()
