"""Drawings as SVG, which is small and crisp at any size."""

from collections.abc import Sequence

from recognizer.reader.drawing import Drawing, StrokeDrawing
from recognizer.reader.pictures import as_data_url, drawing_png


def svg_of(drawing: Drawing) -> str:
    """Draw strokes as paths, dark on white; embed a picture as it is."""
    if not isinstance(drawing, StrokeDrawing):
        height, width = drawing.shown().shape[:2]
        url = as_data_url(drawing_png(drawing))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
            f'<image href="{url}" width="{width}" height="{height}"/></svg>'
        )
    x, y, width, height = drawing.frame()
    paths = "".join(f'<path d="{path_of(stroke)}"/>' for stroke in drawing.strokes)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{view_box_of(drawing)}">'
        f'<path fill="#fff" d="M{x:g} {y:g}h{width:g}v{height:g}h{-width:g}z"/>'
        f'<g fill="none" stroke="#000" stroke-width="{drawing.pen_width:g}" '
        f'stroke-linecap="round" stroke-linejoin="round">{paths}</g></svg>'
    )


def view_box_of(drawing: StrokeDrawing) -> str:
    """Write the frame around canvas and ink as an SVG's viewBox."""
    return " ".join(f"{value:g}" for value in drawing.frame())


def path_of(stroke: Sequence[Sequence[float]]) -> str:
    """Write one stroke as the data of a path; a single point is a dot."""
    (x, y, *_), *rest = stroke
    if not rest:
        return f"M{x:g} {y:g}h0"  # a line of length 0: its round cap is the dot
    return f"M{x:g} {y:g}L" + " ".join(f"{p[0]:g} {p[1]:g}" for p in rest)
