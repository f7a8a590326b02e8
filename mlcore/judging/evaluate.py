"""Judge a bundle, print one line per set, and write a report with pictures.

    python -m mlcore.judging.evaluate         # the starter, or the bundle BUNDLE names

Reads MNIST's test set and, where PEN_DIR names them, the drawings of the judged pen
writers; writes report.md with its pictures and evaluation.json into
var/reports/<bundle>/. Takes about four minutes on one core.
"""

import argparse
from pathlib import Path

from mlcore import paths
from mlcore.judging.judge import Evaluation, judge
from mlcore.judging.report import write_report
from mlcore.reading.bundle import open_bundle
from mlcore.training.data import load_mnist, load_pen


def main() -> None:
    """Judge a bundle, print one line per set, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--bundle", type=Path, default=paths.bundle_folder(), help="folder to judge"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the report; default var/reports/<bundle>"
    )
    told = parser.parse_args()
    bundle = open_bundle(told.bundle)
    folder = paths.pen_folder()
    judged = judge(
        bundle, test=load_mnist().test, pen=load_pen(folder) if folder else None
    )
    print_evaluation(judged.evaluation)
    out = told.out or paths.data_folder() / "reports" / bundle.short_digest
    print(f"\nReport with pictures: {write_report(judged, bundle=bundle, folder=out)}")


def print_evaluation(evaluation: Evaluation) -> None:
    """Print a line for each set of drawings."""
    print(f"Bundle {evaluation['bundle'][:12]}")
    print(f"{'':42}{'digits':>8}{'right':>9}{'refused':>9}{'answered':>10}{'ECE':>8}")
    for name, row in evaluation["digits"].items():
        answered = row["accuracy_answered"]
        print(
            f"{name:42}{row['digits']:8,}{row['accuracy']:9.2%}{row['refused']:9.2%}"
            f"{'none' if answered is None else f'{answered:.2%}':>10}{row['ece']:8.2%}"
        )
    if evaluation["non_digits"]:
        print(f"\n{'not one digit':42}{'drawings':>8}{'refused':>18}{'AUROC':>10}")
    else:
        print("PEN_DIR names no folder of pen drawings: those were not judged.")
    for name, others in evaluation["non_digits"].items():
        print(
            f"{name:42}{others['drawings']:8,}{others['refused']:18.2%}"
            f"{others['auroc']:10.4f}"
        )
    print(f"\n{'changed in some way':42}{'MNIST':>8}{'pen':>9}")
    for way, accuracies in evaluation["changed"].items():
        row_text = "".join(f"{accuracy:9.2%}" for accuracy in accuracies.values())
        print(f"{way:41}{row_text}")
    speed = evaluation["speed"]
    print(
        f"\nOne thread: the network {speed['network_us']:.0f} us, strokes to a reading "
        f"{speed['strokes_us']:.0f} us. Served weights "
        f"{evaluation['served_bytes'] / 1e3:.0f} kB, the bundle "
        f"{evaluation['bundle_bytes'] / 1e6:.1f} MB."
    )


if __name__ == "__main__":
    main()
