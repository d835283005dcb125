#!/usr/bin/env python3
"""Looks whether the lines that have reasons, why they were not run, are there.

usage: check-reasons.py REASONS
"""

import re
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    status = 0
    with open(sys.argv[1], encoding='utf-8') as reasons:
        for line in reasons:
            listed = re.match(r'\s+(?:line|branch) (\S+), \w+: (.*)', line)
            if not listed:
                continue
            with open(listed[1], encoding='utf-8') as source:
                if listed[2] not in (text.strip() for text in source):
                    print(f'not there any more: {line.strip()}')
                    status = 1
    sys.exit(status)


main()
