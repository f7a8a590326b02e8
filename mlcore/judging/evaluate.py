"""Judge a bundle, print its figures, and write a report with pictures.

    python -m mlcore.judging.evaluate         # the starter, or the bundle BUNDLE names

Reads MNIST's test set, where PEN_DIR names them the drawings of the judged pen writers,
and where PICTURES_DIR names them real pictures; writes report.md with its pictures and
evaluation.json into var/reports/<bundle>/. Takes about 13 minutes on one core.
"""

from pathlib import Path

from mlcore import paths
from mlcore.commands import command_parser
from mlcore.judging.judge import judge
from mlcore.judging.report import sections, write_report
from mlcore.reading.bundle import open_bundle
from mlcore.training.data import load_mnist, load_pen


def main() -> None:
    """Judge a bundle, print its figures, and write the report."""
    parser = command_parser(__doc__)
    parser.add_argument(
        "--bundle", type=Path, default=paths.bundle_folder(), help="folder to judge"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the report; default var/reports/<bundle>"
    )
    told = parser.parse_args()
    bundle = open_bundle(told.bundle)
    pen = load_pen() if paths.pen_folder() else None
    real = paths.pictures_folder()
    judged = judge(bundle, test=load_mnist().test, pen=pen, real=real)
    words = sections(judged.evaluation, bundle=bundle, pictures={})
    print(f"Bundle {bundle.short_digest}\n\n{words}")
    if pen is None:
        print("PEN_DIR names no folder of pen drawings: those were not judged.")
    if real is None:
        print("PICTURES_DIR names no folder of real pictures: none were read.")
    out = told.out or paths.data_folder() / "reports" / bundle.short_digest
    print(f"\nReport with pictures: {write_report(judged, bundle=bundle, folder=out)}")


if __name__ == "__main__":
    main()
