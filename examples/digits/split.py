#!/usr/bin/python3
"""Cuts the digits into one shard per site and a golden test set for home; the same bytes at every call.

    split.py --out DIR [--sites fr,sg,ae,br] [--by row|label]

Writes DIR/<site>/train.csv for each site and DIR/home/golden.csv. Rows 0..1436 are for training, the last 360 are
golden. By row: row i belongs to site i mod n. By label: the training rows sorted by digit, in n equal parts (the first
ones one row longer), so that each site sees only a few digits.
"""

import argparse
import pathlib
import re
import sys

TRAIN_ROWS = 1437
ROWS = 1797
SITE_NAME = re.compile(r"[a-z0-9-]{1,32}")


def shards_by_row(rows, count):
    return [rows[site::count] for site in range(count)]


def shards_by_label(rows, count):
    rows = sorted(rows, key=lambda row: int(row.rsplit(",", 1)[1]))  # stable: equal labels keep their order
    size, longer = divmod(len(rows), count)
    shards, begin = [], 0
    for site in range(count):
        end = begin + size + (site < longer)
        shards.append(rows[begin:end])
        begin = end
    return shards


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row + "\n" for row in rows), encoding="ascii")
    print(f"{path}  {len(rows)} rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--sites", default="fr,sg,ae,br", help="comma-separated names")
    parser.add_argument("--by", choices=("row", "label"), default="row")
    arguments = parser.parse_args()
    sites = arguments.sites.split(",")
    if len(set(sites)) != len(sites) or "home" in sites or not all(SITE_NAME.fullmatch(site) for site in sites):
        parser.error("--sites: expected different names of [a-z0-9-], at most 32 bytes each, none of them home")
    if len(sites) > TRAIN_ROWS:
        parser.error("--sites: more sites than rows")
    rows = (pathlib.Path(__file__).resolve().parent / "digits.csv").read_text(encoding="ascii").splitlines()
    if len(rows) != ROWS:
        print(f"digits.csv: expected {ROWS} rows, found {len(rows)}", file=sys.stderr)
        return 1
    cut = shards_by_row if arguments.by == "row" else shards_by_label
    for site, shard in zip(sites, cut(rows[:TRAIN_ROWS], len(sites))):
        write(arguments.out / site / "train.csv", shard)
    write(arguments.out / "home" / "golden.csv", rows[TRAIN_ROWS:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
