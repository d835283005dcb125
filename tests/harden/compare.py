#!/usr/bin/env python3
"""Compares what was found with what is accepted, each with a reason.

usage: compare.py ACCEPTED KIND <FINDINGS

FINDINGS has one finding a line: what it is, a tab, and where it is or what is said
of it. In the file ACCEPTED a reason stands at the beginning of its line or lines, below
it are the findings that it is for, indented. A finding begins with a word that says its
KIND; those of other kinds are not looked at. The same finding is accepted as often as
it is listed.

Prints what was found and is not accepted, and what is accepted and was not found.
Exits with 1 for the first, with 3 if there was only the latter.
"""

import collections
import sys


def read_accepted(path, kind):
    """Returns how often each finding of a kind is accepted."""
    accepted = collections.Counter()
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            if line[:1].isspace() and line.split(maxsplit=1)[:1] == [kind]:
                accepted[line.strip()] += 1
    return accepted


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, kind = sys.argv[1:]
    accepted = read_accepted(path, kind)
    status = 0
    for line in sys.stdin:
        finding, _, place = line.rstrip('\n').partition('\t')
        if accepted[finding] > 0:
            accepted[finding] -= 1
        else:
            print(f'{place}\n    {finding}')
            status = 1
    for finding, count in accepted.items():
        if count > 0:
            print(f'{path} lists it, but it was not found{f", {count} times" if count > 1 else ""}:')
            print(f'    {finding}')
            status = status or 3
    sys.exit(status)


main()
