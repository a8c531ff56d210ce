"""How `make execute` prints figures: as SVG on white, in two layouts, one for a page and one for a phone.

It runs inside each notebook's kernel (tools/book.py). Notebooks that a reader runs themselves print figures as Jupyter does."""
import pickle, re, time

wide_enough = 4.6                                            # inches: a narrower figure needs no second layout
narrow_sizes = [(4.1, 1), (4.1, 1.4), (4.8, 1), (4.8, 1.4)]  # (inches, of the height): the first in which no more texts overlap; on a phone, 10 points are 10 to 11 pixels
most_bytes, most_points = 150_000, 1500

def _svg(fig, print_figure, **kw):
    "The figure as SVG that is the same whenever it is printed, without digits that nobody sees"
    import matplotlib as mpl
    def printed(**more):
        with mpl.rc_context({'svg.hashsalt': 'book', 'svg.fonttype': 'path'}): s = print_figure(fig, fmt='svg', **{**kw, **more, 'metadata': {'Date': None, 'Creator': None}})
        s = re.sub(r' (?:d|points)="[^"]*"', lambda m: re.sub(r'([.]\d\d)\d+', r'\1', ' ' + ' '.join(m[0].split())), s)
        s = re.sub(r'<metadata>.*?</metadata>|<!DOCTYPE.*?>|<!-- .*? -->|<\?xml.*?\?>', '', s, flags=re.S)
        return re.sub(r'>\s+<', '><', s).strip()
    s = printed()
    if len(s) < most_bytes: return s
    for o in fig.findobj():  # thousands of marks become one picture inside; the text stays text
        offsets = getattr(o, 'get_offsets', lambda: ())()
        points = len(offsets) if hasattr(offsets, '__len__') else 0
        if hasattr(o, 'get_xdata'): points = max(points, len(o.get_xdata(orig=False)))
        if hasattr(o, 'get_paths'): points = max(points, len(o.get_paths()))
        if points > most_points: o.set_rasterized(True)
    s = printed(dpi=144)
    return s if len(s) < 2*most_bytes else None

def _overlaps(fig):
    "How many pairs of texts lie on each other, and how many stick out of the figure"
    fig.canvas.draw()
    from matplotlib.text import Text
    boxes = [o.get_window_extent() for o in fig.findobj(Text) if o.get_visible() and o.get_text().strip() and o.get_rotation() % 90 == 0]
    boxes = [b for b in boxes if b.width and b.height]
    w, h = fig.bbox.width, fig.bbox.height
    out = sum(b.x0 < -2 or b.x1 > w + 2 or b.y0 < -2 or b.y1 > h + 2 for b in boxes)
    return out + sum(a.x0 < b.x1 - 1 and b.x0 < a.x1 - 1 and a.y0 < b.y1 - 1 and b.y0 < a.y1 - 1 for i,a in enumerate(boxes) for b in boxes[:i])

def _stack(fig):
    "Panels that stand beside each other come below each other; returns how many rows there were, and are"
    from matplotlib.gridspec import GridSpec
    panels = [a for a in fig.axes if a.get_subplotspec() is not None]
    if not panels: return 1, 1
    grids = {id(a.get_subplotspec().get_gridspec()): a.get_subplotspec().get_gridspec() for a in panels}
    grid = next(iter(grids.values()))
    if len(grids) > 1 or grid.ncols == 1: return grid.nrows, grid.nrows
    panels.sort(key=lambda a: a.get_subplotspec().num1)
    new = GridSpec(len(panels), 1, figure=fig)
    y = x = ''
    for i,a in enumerate(panels):
        a.set_subplotspec(new[i])
        a.tick_params(labelleft=bool(a.yaxis.get_ticklocs().size), labelbottom=True)
        y = a.get_ylabel() or y; a.set_ylabel(y)  # shared labels stood at the first panel only
    return grid.nrows, len(panels)

def _narrow(fig, print_figure, **kw):
    "The same figure, drawn anew for a phone, or None where it is narrow already or a copy cannot be made"
    import matplotlib.pyplot as plt
    if fig.get_figwidth() <= wide_enough: return None
    before, best = _overlaps(fig), None
    for width,tall in narrow_sizes:
        try: copy = pickle.loads(pickle.dumps(fig))
        except Exception: return None  # a figure with a lambda in it
        try:
            rows, now = _stack(copy)
            height = fig.get_figheight()*now/rows if now > rows else min(fig.get_figheight(), max(.8*fig.get_figheight(), width))
            copy.set_size_inches(width, height*tall)
            for a in copy.axes:
                for t in (a.title, a.xaxis.label): t.set_wrap(True)
            if copy._suptitle: copy._suptitle.set_wrap(True)
            count = _overlaps(copy)
            if best is None or count < best[0]: best = count, _svg(copy, print_figure, **kw)
        finally: plt.close(copy)
        if best[0] <= before: break
    return best[1]

def install():
    "Have IPython print figures as both layouts: the second is metadata of the first, where Jupyter keeps an output's size"
    from IPython.core import pylabtools
    as_ever = pylabtools.print_figure
    def print_figure(fig, fmt='png', **kw):
        if fmt != 'svg': return as_ever(fig, fmt=fmt, **kw)
        if not fig.axes and not fig.lines: return None
        start = time.time()
        wide = _svg(fig, as_ever, **kw)
        narrow = wide and _narrow(fig, as_ever, **kw)
        pylabtools.seconds += time.time() - start
        return (wide, {'narrow': narrow}) if narrow else wide
    pylabtools.print_figure, pylabtools.seconds = print_figure, 0  # how long this took: a reader's run does without it
