"The picture of the book, nbs/card.png for links to it and nbs/table.png for its first page: a table of ratings, mostly blank, as the product of two thin ones."
from pathlib import Path
import matplotlib; matplotlib.use('Agg')
import matplotlib.pyplot as plt, numpy as np
from matplotlib.patches import FancyBboxPatch

blue, orange, ink, quiet, paper = '#0072B2', '#E69F00', '#15181d', '#57606a', '#ffffff'
rng = np.random.default_rng(6)
users, movies, factors = 6, 9, 2
U = np.array([[.9, -.2], [.7, .6], [-.3, .9], [-.8, .3], [.1, -.9], [.6, -.7]])
M = np.array([[.9, .1], [.5, .8], [-.6, .7], [-.9, -.2], [.3, -.9], [.8, -.5], [-.2, .9], [.6, .4], [-.7, -.6]])
U, M, mean = 1.5*U, 1.5*M, 3.1
stars = np.clip(np.rint(mean + U@M.T), 1, 5).astype(int)
known = rng.random((users, movies)) < .42
ask = (2, 4)  # the cell in question
known[ask] = False

fig = plt.figure(figsize=(12, 6.3), dpi=100, facecolor=paper)
ax = fig.add_axes([0, 0, 1, 1]); ax.set(xlim=(0, 1200), ylim=(630, 0)); ax.axis('off')

def cell(x, y, w, h, fill, edge='none', **kw): ax.add_patch(FancyBboxPatch((x + 3, y + 3), w - 6, h - 6, boxstyle='round,pad=0,rounding_size=6', fc=fill, ec=edge, lw=1.4, **kw))
def text(x, y, s, size, **kw): ax.text(x, y, s, fontsize=size, ha=kw.pop('ha', 'center'), va='center', color=kw.pop('color', ink), **kw)
def mix(v):
    "White at 0, blue for plus, orange for minus"
    c = np.array([int((blue if v > 0 else orange)[i:i+2], 16) for i in (1, 3, 5)])/255
    return tuple(1 - (1 - c)*min(abs(v)/1.5, 1)*.85)

text(60, 82, 'Collaborative filtering, from the lookup up', 32, ha='left', weight='bold')
text(60, 138, 'How a recommender learns taste from ratings alone.', 19, ha='left', color=quiet)

s, x0, y0, gap = 52, 300, 290, 26
for u in range(users):
    for m in range(movies):
        x,y = x0 + m*s, y0 + u*s
        if (u, m) == ask: cell(x, y, s, s, '#fff7e0', orange); text(x + s/2, y + s/2, '?', 21, weight='bold', color='#a35200')
        elif known[u, m]: cell(x, y, s, s, '#e6eef5'); text(x + s/2, y + s/2, stars[u, m], 17)
        else: cell(x, y, s, s, paper, '#d5dae0')
for u in range(users):
    for k in range(factors): cell(x0 - gap - (factors - k)*s, y0 + u*s, s, s, mix(U[u, k]), ink if u == ask[0] else '#d5dae0')
for m in range(movies):
    for k in range(factors): cell(x0 + m*s, y0 - gap - (factors - k)*s, s, s, mix(M[m, k]), ink if m == ask[1] else '#d5dae0')
text(x0 - gap - s, y0 - 34, 'people', 15, color=quiet)
text(x0 - 34, y0 - gap - s, 'films', 15, color=quiet, ha='right')

value = mean + U[ask[0]]@M[ask[1]]
x = 810
text(x, 330, 'a few numbers for each', 19, ha='left'); text(x, 362, 'person and each film,', 19, ha='left')
text(x, 394, 'multiply, add to the mean:', 19, ha='left')
text(x, 446, f'? ≈ {value:.1f} stars', 25, ha='left', weight='bold', color='#a35200')
text(x, 520, 'A book of tested notebooks,', 16, ha='left', color=quiet); text(x, 546, 'and the library they export.', 16, ha='left', color=quiet)
nbs = Path(__file__).resolve().parent.parent/'nbs'
fig.savefig(nbs/'card.png', facecolor=paper)
from PIL import Image
card = Image.open(nbs/'card.png').convert('RGB')
for name,box in [('card.png', None), ('table.png', (130, 150, 1180, 612))]:  # the first page has the title already
    path = nbs/name
    card.crop(box or (0, 0, *card.size)).convert('P', palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True)
    print(name, path.stat().st_size, 'bytes')
