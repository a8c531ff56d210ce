"Each demonstration in a real browser, by keyboard and by mouse: its numbers are those of Python, and it reads well for everybody."
import base64, json, os, re
from pathlib import Path
from types import SimpleNamespace

import numpy as np, pytest

from collab_lesson.widgets import (Widget, asset, bet, bias_demo, descent_demo, dot_product_demo, movie_map_demo, one_hot_demo, quiz, rate_demo,
                                   weight_decay_demo, y_range_demo, display_title, films, progress, row_944, spoken)

axe = Path(os.environ.get('AXE_CORE') or Path(__file__).parent.parent/'node_modules/axe-core/axe.min.js')

rng = np.random.default_rng(0)
titles = [f'Movie {chr(65 + i%26)}{i}' for i in range(60)]
factors, bias = rng.normal(0, .4, (60, 12)), rng.normal(0, .3, 60)
mean, count = 3.5 + bias + rng.normal(0, .2, 60), rng.integers(3, 400, 60)
xy, neighbors = factors[:, :2], np.argsort(((factors[:, None] - factors)**2).sum(-1), 1)[:, 1:6]
curves = {wd: dict(train=np.linspace(1.2, .3 + wd*2, 6).tolist(), valid=np.linspace(1.3, .9 + (wd - .1)**2*4, 6).tolist()) for wd in (0, .01, .1, .3)}
offset, reg = 3.5, 2.
likes = factors@factors.T/10
np.fill_diagonal(likes, 0)
stages = ['blank', 'embedding', 'random', 'bias', 'fold_in', 'list']

def demos():
    return [one_hot_demo(), dot_product_demo(y_range=(0, 5.5)), y_range_demo(), weight_decay_demo(curves), descent_demo(),
            bias_demo(titles, bias, mean, count), movie_map_demo(titles, xy, neighbors), rate_demo(titles, factors, bias, offset, reg)] + [row_944(o) for o in stages] + [rate_demo(titles, factors, bias, offset, reg, B=likes, show=8)]

def page_of(*widgets, head=''):
    body = '<p>between</p>'.join(map(str, widgets))
    return f'<!doctype html><html lang="en"><head><title>t</title><meta name="viewport" content="width=device-width">{head}</head><body><main><h1>Demonstrations</h1>{body}</main></body></html>'

@pytest.fixture(scope='module')
def context(browser):
    "A browser context for each set of options: one serves many tests."
    made = {}
    def f(**options):
        options = {'viewport': dict(width=900, height=1000), 'reduced_motion': 'reduce', **options}
        key = str(sorted(options.items()))
        if key not in made: made[key] = browser.new_context(**options)
        return made[key]
    return f

@pytest.fixture
def show(context):
    "Open a page with widgets in it; at the end there must have been no error, and no request but for the page itself."
    made, wrong = [], []
    def f(*widgets, head='', **options):
        page = context(**options).new_page()
        made.append(page)
        page.set_default_timeout(5000)
        page.on('console', lambda m: wrong.append(m.text) if m.type in ('error', 'warning') else None)
        page.on('pageerror', lambda e: wrong.append(str(e)))
        page.on('request', lambda r: None if r.url.startswith(('data:', 'about:')) else wrong.append(f'request: {r.url}'))
        page.set_content(page_of(*widgets, head=head))
        return page
    yield f
    for o in made: o.close()
    assert not wrong

def state(page, n=0): return json.loads(page.locator('figure.cl-w').nth(n).get_attribute('data-state'))
def sigmoid(x, low, high): return low + (high - low)/(1 + np.exp(-x))

def drag(page, a, b):
    page.mouse.move(*a); page.mouse.down(); page.mouse.move(*b, steps=4); page.mouse.up()


# each demonstration against Python

def test_one_hot(show):
    matrix = rng.normal(0, 1, (6, 4))
    page = show(one_hot_demo(matrix, index=2, names=list('abcdef')))
    def right(i):
        s = state(page)
        assert (s['index'], s['multiplications'], s['by_zero']) == (i, 24, 20)
        np.testing.assert_allclose(s['result'], np.eye(6)[i]@matrix)
        assert page.locator('tr[aria-current]').inner_text().startswith(f'{i} {"abcdef"[i]}')
    right(2)
    page.keyboard.press('Tab'); page.keyboard.press('ArrowRight'); right(3)
    page.keyboard.press('End'); right(5)
    page.get_by_role('row').filter(has_text='1 b').click(); right(1)
    assert page.get_by_role('slider').input_value() == '1'
    page.get_by_role('button', name='Multiply row by row').click(); right(1)

def test_one_hot_counts_row_by_row(show):
    page = show(one_hot_demo(), reduced_motion='no-preference')
    page.get_by_role('button', name='Multiply').press('Enter')
    assert state(page)['multiplications'] == 0
    page.wait_for_function("JSON.parse(document.querySelector('.cl-w').dataset.state).multiplications === 10")
    page.get_by_role('button', name='Stop').press('Enter')
    assert state(page)['multiplications'] == 40

def test_dot_product(show):
    movies = {'Up': (.5, -.2), 'Down': (-1, .3)}
    page = show(dot_product_demo((.4, .8), movies, ('new', 'loud'), y_range=(.5, 5.5)))
    def right():
        s = state(page)
        total = float(np.dot(s['user'], s['movie']))
        np.testing.assert_allclose([*s['products'], s['sum'], s['rating']], [*np.multiply(s['user'], s['movie']), total, sigmoid(total, .5, 5.5)], atol=1e-9)
        return s
    assert right()['movie'] == [.5, -.2]
    page.get_by_label('you: new').focus()
    for _ in range(3): page.keyboard.press('ArrowLeft')
    np.testing.assert_allclose(right()['user'], [.37, .8])
    page.get_by_role('button', name='Down').press('Enter')
    assert right()['movie'] == [-1, .3] and page.get_by_role('button', name='Down').get_attribute('aria-pressed') == 'true'
    b = page.get_by_label('Movie: loud').bounding_box()
    y = b['y'] + b['height']/2
    drag(page, (b['x'] + 9 + .65*(b['width'] - 18), y), (b['x'] + b['width'] - 1, y))
    assert right()['movie'] == [-1, 1] and 'a movie of yours' in page.locator('thead').inner_text()

def test_y_range(show):
    page = show(y_range_demo((0, 5.5), x=1))
    def right():
        s = state(page)
        low, high, x = s['low'], s['high'], s['x']
        grad = lambda x: (sigmoid(x + 1e-5, low, high) - sigmoid(x - 1e-5, low, high))/2e-5
        np.testing.assert_allclose([s['prediction'], s['gradient']], [sigmoid(x, low, high), grad(x)], atol=1e-6)
        assert s['out_of_reach'] == [r for r in range(1, 6) if not low < r < high]
        for need, g in zip(s['needs'], s['gradients']):
            if need is not None: assert abs(g - grad(need)) < 1e-6
        return s
    assert right()['out_of_reach'] == []
    page.get_by_label('high').focus()
    for _ in range(10): page.keyboard.press('ArrowLeft')
    assert right()['high'] == 5 and state(page)['out_of_reach'] == [5]
    assert 'Out of reach, at any x: 5.' in page.locator('.cl-note').inner_text()
    page.get_by_label('x, the dot product').press('Home')
    assert right()['x'] == -6
    svg = page.locator('svg').first.bounding_box()
    line = float(re.search(r'([\d.]+)', page.locator('svg line.alt').first.get_attribute('y1'))[0])  # the line of `low`
    drag(page, (svg['x'] + 200, svg['y'] + line), (svg['x'] + 200, svg['y'] + line - 40))
    assert right()['low'] > .5
    page.mouse.click(svg['x'] + svg['width']/2, svg['y'] + 30)
    assert abs(right()['x']) < 1

def test_weight_decay(show):
    page = show(weight_decay_demo(curves, wd=.01, optimum=2, curvature=.2))
    def right(wd):
        s = state(page)
        assert (s['wd'], s['best']) == (wd, .1)
        np.testing.assert_allclose([s['train'], s['valid'], s['gap']], [curves[wd]['train'][-1], curves[wd]['valid'][-1], curves[wd]['valid'][-1] - curves[wd]['train'][-1]])
        w = np.linspace(-1, 3, 400_001)
        assert abs(s['lowest'] - w[(.2*(w - 2)**2 + wd*w**2).argmin()]) < 1e-4
    right(.01)
    page.get_by_role('slider').press('ArrowRight'); right(.1)
    svg = page.locator('svg').first.bounding_box()
    page.mouse.click(svg['x'] + svg['width'] - 20, svg['y'] + 50); right(.3)
    page.mouse.click(svg['x'] + 20, svg['y'] + 50); right(0)

def test_descent(show):
    table, wd = np.array([[5, np.nan, 1], [4, 5, np.nan], [1, 2, 5.]]), .01
    w = descent_demo(table, list('abc'), list('xyz'), wd=wd, lr=.1, steps=30)
    data = json.loads(re.search(r'json">(.*?)</script>', w.source, re.S)[1])
    def after(steps, lr=.1):
        P, Q, known = np.array(data['user_factors']), np.array(data['movie_factors']), ~np.isnan(table)
        for _ in range(steps):
            err = np.where(known, P@Q.T - table, 0)*2/known.sum()
            P, Q = P - lr*(err@Q + 2*wd*P), Q - lr*(err.T@P + 2*wd*Q)
        return P@Q.T, ((P@Q.T - table)[known]**2).mean()
    page = show(w)
    def right(steps):
        s, (y, loss) = state(page), after(steps)
        assert s['steps'] == steps
        np.testing.assert_allclose(s['predictions'], y, atol=1e-9)
        assert abs(s['loss'] - loss) < 1e-9
    right(0)
    for _ in range(2): page.get_by_role('button', name='Step', exact=True).press('Space')
    page.get_by_role('button', name='Step', exact=True).click(); right(3)
    page.get_by_role('button', name='30 steps').click(); right(33)  # with reduced motion, at once
    shown = float(page.locator('tbody tr').nth(0).locator('.cl-blank span').first.inner_text())
    assert abs(shown - after(33)[0][0, 1]) < .051
    page.get_by_role('button', name='Reset').press('Enter'); right(0)
    page.get_by_label('Learning rate').press('End')
    top = data['most']*data['lr']
    assert abs(state(page)['lr'] - top) < 1e-9 and after(8, (data['most'] - 1)*data['lr'])[1] < 1e6
    with np.errstate(all='ignore'): assert not after(8, top)[1] < 1e6  # within a quarter of the steps
    page.get_by_role('button', name='30 steps').click()
    assert state(page)['diverges'] and 'diverges' in page.locator('.cl-note').inner_text() and 'diverges' in page.locator('.cl-facts').inner_text()
    page.get_by_role('button', name='Reset').press('Enter'); right(0)

def test_descent_plays_and_diverges(show):
    page = show(descent_demo(steps=5), reduced_motion='no-preference')
    page.get_by_role('button', name='Play').click()
    page.wait_for_function("(s => s.steps === 5 && !s.running)(JSON.parse(document.querySelector('.cl-w').dataset.state))")
    page = show(descent_demo(lr=5.))
    page.get_by_role('button', name='100 steps').click()
    assert state(page)['loss'] is None and page.get_by_role('button', name='Step', exact=True).is_disabled()
    assert 'Training diverges' in page.locator('.cl-note').inner_text()
    for rate in (.01, .2, 1.): assert json.loads(re.search(r'json">(.*?)</script>', descent_demo(lr=rate).source, re.S)[1])['most'] < 33 or rate < .05

def test_bias(show):
    page = show(bias_demo(titles, bias, mean, count))
    order = bias.argsort()
    def right(i):
        s = state(page)
        assert s['title'] == titles[i] and s['rank'] == list(order).index(i) + 1
        np.testing.assert_allclose([s['bias'], s['mean']], [bias[i], mean[i]], atol=1e-5)
        assert f'“{titles[i]}”: bias {bias[i]:.2f}'.replace('-', '−') in page.locator('.cl-note').inner_text()
    right(order[-1])
    page.get_by_role('slider').press('Home'); right(order[0])
    page.get_by_role('slider').press('ArrowRight'); right(order[1])
    box = page.get_by_role('combobox')
    box.press_sequentially('movie c')
    found = [i for i, t in enumerate(titles) if 'movie c' in t.lower()]
    assert page.get_by_role('option').all_inner_texts() == [titles[i] for i in found]
    box.press('ArrowDown'); box.press('Enter'); right(found[1])
    box.fill('D3'); page.get_by_role('option').first.click(); right(3)
    box.fill('zzz'); assert page.get_by_role('option').inner_text() == 'No such title'
    box.press('Escape'); assert page.get_by_role('option').count() == 0
    at = page.locator('.cl-cloud circle').nth(int(order[30])).bounding_box()
    page.mouse.move(at['x'] + at['width']/2, at['y'] + at['height']/2); right(order[30])

def test_movie_map(show):
    page = show(movie_map_demo(titles, xy, neighbors, index=4))
    def right(i): assert state(page)['title'] == titles[i] and state(page)['neighbors'] == [titles[j] for j in neighbors[i]]
    right(4)
    box = page.get_by_role('combobox')
    box.fill('Movie H7'); box.press('Enter'); right(7)
    assert state(page)['zoom'] == 2
    page.get_by_role('button', name=titles[neighbors[7][0]], exact=True).press('Enter'); right(neighbors[7][0])
    page.get_by_role('button', name='Show all').click()
    assert state(page)['zoom'] == 1
    the_map = page.get_by_role('application')
    the_map.press('+'); the_map.press('ArrowRight')
    assert state(page)['zoom'] > 1 and state(page)['center'][0] > .5
    before, b = state(page)['center'], the_map.bounding_box()
    drag(page, (b['x'] + 300, b['y'] + 200), (b['x'] + 400, b['y'] + 200))
    assert state(page)['center'][0] < before[0]
    the_map.press('0')
    out = int(np.argmax(xy[:, 0]))  # the rightmost dot stands alone enough to click
    at = page.locator('.cl-cloud circle').nth(out).bounding_box()
    page.mouse.click(at['x'] + at['width']/2, at['y'] + at['height']/2); right(out)
    page.keyboard.down('Control'); page.mouse.wheel(0, -200); page.keyboard.up('Control')
    page.wait_for_function("JSON.parse(document.querySelector('.cl-w').dataset.state).zoom > 1")

def test_the_map_is_never_empty(show):
    two = np.array([[0, 0], [1, 1.], [.98, .02]])
    page = show(movie_map_demo(list('ABC'), two))
    the_map = page.get_by_role('application')
    for _ in range(14): the_map.press('+')  # into the middle, where nothing is
    assert state(page)['zoom'] == 40 and state(page)['in_view'] > 0 and page.locator('.cl-cloud circle').count() > 0
    for key in ('ArrowLeft', 'ArrowUp', 'ArrowUp', 'ArrowRight', 'ArrowDown'):
        for _ in range(12): the_map.press(key)
        assert state(page)['in_view'] > 0 and page.locator('.cl-cloud circle').count() > 0
    b = the_map.bounding_box()
    drag(page, (b['x'] + 10, b['y'] + 10), (b['x'] + 500, b['y'] + 300))
    assert state(page)['in_view'] > 0

def fold_in(rated, factors=factors, y_range=None, prior=np.zeros(13)):
    "User factors with bias behind them, and the prediction for every movie, by ridge regression."
    q = np.c_[factors, np.ones(len(factors))]
    i, r = list(rated), np.array(list(rated.values()), float)
    if y_range: r = np.log((r - y_range[0])/(y_range[1] - r))
    x = prior + np.linalg.solve(q[i].T@q[i] + reg*np.eye(13), q[i].T@(r - offset - bias[i] - q[i]@prior))
    z = offset + bias + q@x
    return x, sigmoid(z, *y_range) if y_range else z

def check_fold_in(page, rated, **options):
    s = state(page)
    assert dict(map(tuple, s['ratings'])) == rated
    user, exact = fold_in(rated, **options)
    assert np.abs(s['predictions'] - exact).max() < 1e-3 and np.abs([*s['user'], s['user_bias']] - user).max() < 1e-3
    same = fold_in(rated, factors=factors.astype('<f2').astype(float), **options)[1]
    np.testing.assert_allclose(s['predictions'], same, atol=2e-6)  # biases travel with six digits
    best = sorted(set(range(60)) - set(rated), key=lambda i: -s['predictions'][i])[:10]
    assert s['top'] == [titles[i] for i in best]
    first = page.get_by_role('list', name='Recommendations').get_by_role('listitem').first.inner_text().split()
    assert first[-1] == f'{np.clip(exact[best[0]], 1, 5):.1f}'

def star(page, i, r): return page.get_by_role('radiogroup', name=titles[i], exact=True).get_by_role('radio', name=str(r))

def test_rate(show):
    page = show(rate_demo(titles, factors, bias, offset, reg))
    check_fold_in(page, {})
    star(page, 0, 5).click(); check_fold_in(page, {0: 5})
    star(page, 3, 1).press('Space'); check_fold_in(page, {0: 5, 3: 1})
    page.keyboard.press('ArrowRight'); check_fold_in(page, {0: 5, 3: 2})
    page.get_by_role('button', name='Other movies').press('Enter')
    assert star(page, 0, 5).is_checked() and star(page, 1, 1).count() == 0
    box = page.get_by_role('combobox')
    box.fill('Movie O40'); box.press('Enter')
    page.keyboard.press('Tab')  # on from the first star of the movie just found
    star(page, 40, 4).click(); check_fold_in(page, {0: 5, 3: 2, 40: 4})
    page.get_by_role('button', name='Clear the rating of Movie A0').click(); check_fold_in(page, {3: 2, 40: 4})
    page.get_by_role('button', name='Clear all').click(); check_fold_in(page, {})

def test_rate_many_with_range_and_prior(show):
    prior, y_range = np.linspace(-.2, .3, 13), (0, 5.5)
    page = show(rate_demo(titles, factors, bias, offset, reg, y_range=y_range, prior=prior))
    rated = {i: 1 + i%5 for i in range(10)}
    for i, r in rated.items(): star(page, i, r).check(force=True)
    check_fold_in(page, rated, y_range=y_range, prior=prior)


def texts(page, name='Recommendations'): return page.get_by_role('list', name=name).locator('.cl-title').all_inner_texts()

def test_rate_with_lists(show):
    page = show(rate_demo(titles, factors, bias, offset, reg, B=likes, show=6))
    for rated in ({0: 5}, {0: 5, 3: 1}, {0: 1, 3: 1}):
        for i, r in rated.items(): star(page, i, r).check(force=True)
        s, exact = state(page), spoken(likes, rated, [1, 2, 3, 4, 5])
        assert np.abs(np.array(s['scores']) - exact).max() < 1e-3
        assert np.abs(s['predictions'] - fold_in(rated)[1]).max() < 1e-3  # stars are still the ridge's
        best = [i for i in np.argsort(-exact, kind='stable') if i not in rated][:6]
        assert s['top'] == [titles[i] for i in best]
        for i, said in zip(best, texts(page)):
            why = [j for j in sorted(rated, key=lambda j: -(rated[j] - 2)*likes[j, i]) if (rated[j] - 2)*likes[j, i] > 0]
            assert said.split('\n')[0] == titles[i]
            assert said.endswith(' and '.join(titles[j] for j in why) if why else 'unlike what you rated low'), said
    widths = [o.bounding_box()['width'] for o in page.locator('.cl-bar i').all()]
    assert widths == sorted(widths, reverse=True) and widths[0] > 1.5*widths[-1]  # bars show differences
    shown = [float(o) for o in page.locator('[aria-label=Recommendations] .cl-num').all_inner_texts()]
    assert max(shown) <= 5

def test_no_predicted_star_beyond_the_scale(show):
    page = show(rate_demo(titles, factors*4, bias + 1, 4.5, .1, show=10))
    for i in range(4): star(page, i, 5).check(force=True)
    assert max(state(page)['predictions']) > 5
    assert all(1 <= float(o) <= 5 for o in page.locator('[aria-label=Recommendations] .cl-num').all_inner_texts())
    assert not re.search(r'” [5-9]\.[1-9]', repr(rate_demo(titles, factors, bias + 1, 4.5, show=10)))

tastes = {'space': {'Star Wars (1977)': 5, 'Return of the Jedi (1983)': 5, 'Fargo (1996)': 1, 'The English Patient (1996)': 1},
          'drama': {'Star Wars (1977)': 1, 'Return of the Jedi (1983)': 1, 'Fargo (1996)': 3, 'The English Patient (1996)': 5},
          'thrill': {'Scream (1996)': 5, 'Independence Day (ID4) (1996)': 5, 'The Godfather (1972)': 1, 'Toy Story (1995)': 1},
          'cartoons': {'Scream (1996)': 1, 'Independence Day (ID4) (1996)': 1, 'The Godfather (1972)': 3, 'Toy Story (1995)': 5}}

def test_tastes_make_lists(visit):
    "On the model of the first page, people of different tastes get different lists; one who rates all the same gets another"
    f, lists = films(), {}
    for name, rated in tastes.items():
        page = visit(rate_demo(f.titles, f.factors, f.bias, f.mean, 3., B=f.B, show=8), name=name)
        page.get_by_role('button', name='Clear all').click()
        box = page.get_by_role('combobox')
        for t, r in rated.items():
            box.fill(t); box.press('Enter')
            page.get_by_role('radiogroup', name=t, exact=True).get_by_role('radio', name=str(r)).check(force=True)
        s = state(page)
        assert dict(s['ratings']) == {[display_title(o) for o in f.titles].index(t): r for t, r in rated.items()}
        lists[name] = s['top']
    for a in lists:
        for b in lists:
            if a < b: assert len(set(lists[a]) & set(lists[b])) <= 3, (a, b, lists[a], lists[b])

def test_the_answer_is_in_view_on_a_phone(show):
    f = films()
    page = show(rate_demo(f.titles, f.factors, f.bias, f.mean, 3., B=f.B, show=8), viewport=dict(width=375, height=667))
    first = page.get_by_role('radiogroup').first
    first.get_by_role('radio', name='5').check(force=True)
    first.evaluate('o => o.scrollIntoView({block: "start"})')
    seen = page.get_by_role('list', name='Recommendations').get_by_role('listitem').nth(3).bounding_box()
    assert seen['y'] + seen['height'] <= 667 and first.bounding_box()['y'] >= -1
    for _ in range(3):  # more than the four that a phone shows can be rated
        page.get_by_role('button', name='Other movies').click()
        page.locator('li:not(:has(.cl-on)) [role=radiogroup]').first.get_by_role('radio', name='4').check(force=True)
    assert len(state(page)['ratings']) == 4 and page.get_by_role('radiogroup').count() == 4


# titles

def test_titles_as_people_say_them():
    for o in (bias_demo(['Godfather, The (1972)', 'B'], [1, 2], [1, 2]), movie_map_demo(['Godfather, The (1972)', 'B'], [[1, 2], [3, 4]]),
              dot_product_demo(movies={'Godfather, The (1972)': (1, 0, 0)}), rate_demo(['Godfather, The (1972)', 'B'], [[1], [2]], [0, 0], show=1),
              descent_demo([[1, 2], [3, None]], movies=['Godfather, The (1972)', 'B'])):
        assert 'The Godfather (1972)' in str(o) and 'Godfather, The' not in str(o) + repr(o), o.kind
    assert not [o for o in stages if re.search(r', (The|An|A)\b(?! )', repr(row_944(o)))]

def test_no_two_films_get_one_title():
    from common import movielens
    from collab_lesson.movielens import load_movies
    there = set(load_movies(movielens()).title)
    said = {display_title(o) for o in there}
    assert len(said) == len(there) and not [o for o in said if re.search(r", (The|An?|La|Les?|L'|Il|Der|Das|Die|Det)(?= \(|\)|$)", o)]


# row 944

def rate_row(page, rated):
    for i, r in rated.items():
        box = page.get_by_role('combobox').first
        box.fill(t := display_title(films().titles[i])); box.press('Enter')
        page.get_by_role('radiogroup', name=t, exact=True).first.get_by_role('radio', name=str(r)).check(force=True)

def test_row_944_is_what_python_computes(visit):
    import torch
    from collab_lesson import cold_start
    f, rated = films(), {0: 5, 4: 1, 11: 5, 60: 2}
    rows, stars_ = list(rated), np.array(list(rated.values()), float)
    page = visit(*map(row_944, stages))
    rate_row(page, rated)
    s = {o: state(page, i) for i, o in enumerate(stages)}
    for o in stages: assert s[o]['stage'] == o and dict(map(tuple, s[o]['ratings'])) == rated  # one row for all of them
    assert (s['blank']['filled'], s['blank']['holes']) == (4, 96)
    model = SimpleNamespace(**{k: torch.tensor(v).float() for k, v in dict(movie_factors=f.factors, movie_bias=f.bias, user_factors=f.prior[None, :-1], user_bias=f.prior[None, -1:]).items()}, mean=f.mean)
    row = cold_start.fold_in(model, rows, stars_, f.reg, f.prior).numpy()
    assert np.abs(s['fold_in']['user'] - row).max() < 1e-3 and np.abs(row - f.prior).max() > .05
    q = np.c_[f.factors, np.ones(100)]
    assert np.abs(s['fold_in']['predictions'] - (f.mean + f.bias + q@row)).max() < 1e-3
    assert abs(s['bias']['user_bias'] - (stars_ - f.mean - f.damped[rows]).sum()/(4 + 5)) < 1e-3
    scores = spoken(f.B, rated, [1, 2, 3, 4, 5])
    assert np.abs(np.array(s['list']['scores']) - scores).max() < 1e-4
    assert s['list']['top'] == [display_title(f.titles[i]) for i in np.argsort(-scores, kind='stable') if i not in rated][:5]
    data = {o: json.loads(re.search(r'json">(.*?)</script>', row_944(o).source, re.S)[1]) for o in ('embedding', 'random')}
    table = {o: np.frombuffer(base64.b64decode(d['films']), '<f2').astype(float).reshape(100, -1) for o, d in data.items()}
    x = np.array(data['embedding']['row'])
    g = 2*table['embedding'][rows].T@(table['embedding'][rows]@x - stars_)/4
    assert np.abs(s['embedding']['gradient'] - g).max() < 1e-3
    page.get_by_role('button', name='One step').press('Enter')
    assert np.abs(state(page, 1)['row'] - (x - data['embedding']['lr']*g)).max() < 1e-3
    assert page.evaluate('document.activeElement.textContent') == 'One step'  # the focus stays
    page.get_by_role('button', name='Draw another arrow').press('Enter')
    r = state(page, 2)
    assert r['row'] != s['random']['row'] and np.abs(r['products'] - table['random'][rows]@r['row']).max() < 1e-7
    assert abs(r['loss'] - ((table['random'][rows]@r['row'] - stars_)**2).mean()) < 1e-3

def test_row_944_without_ratings(show):
    page = show(*map(row_944, stages))
    s = {o: state(page, i) for i, o in enumerate(stages)}
    assert s['embedding']['gradient'] == [0]*5 and s['bias']['user_bias'] == 0 and s['list']['top'] == []
    assert np.abs(s['fold_in']['user'] - films().prior).max() < 1e-6
    assert page.get_by_text('Your row is blank').count() == 3
    rate_row(page, {0: 5})  # no memory on this page: the row is shared all the same
    assert state(page, 5)['ratings'] == [[0, 5]]

def test_row_944_comes_back(visit):
    f = films()
    home = rate_demo(f.titles, f.factors, f.bias, f.mean, 3., B=f.B, show=8)
    page = visit(home, name='index')
    rate_row(page, {0: 5, 60: 2})
    later = visit(row_944('bias'), name='bias')
    assert dict(map(tuple, state(later)['ratings'])) == {0: 5, 60: 2}
    assert later.get_by_role('radiogroup', name='Star Wars').get_by_role('radio', name='5').is_checked()
    rate_row(later, {11: 4})
    page.wait_for_function("JSON.parse(document.querySelector('.cl-w').dataset.state).ratings.length === 3")  # the other tab hears of it
    made_up = visit(rate_demo(titles, factors, bias, remember=False), name='widgets')
    star(made_up, 0, 1).check(force=True)
    assert json.loads(later.evaluate("localStorage.getItem('collab-lesson row 944')")) == {'Star Wars (1977)': 5, display_title(f.titles[60]): 2, 'The Godfather (1972)': 4}
    later.get_by_role('button', name='Clear all').click()
    assert later.evaluate("localStorage.getItem('collab-lesson row 944')") is None and state(visit(row_944('list'), name='ranking'))['ratings'] == []
    for broken in ('{broken', '[1]', '3', 'null', '{"Star Wars (1977)": "5", "No such film": 3, "Fargo (1996)": 9}'):
        later.evaluate('s => localStorage.setItem("collab-lesson row 944", s)', broken)
        assert state(visit(row_944('blank'), name='data'))['ratings'] == []

def test_row_944_says_the_same_without_javascript():
    f, rows, stars_ = films(), [0, 4, 5], np.array([5, 1, 3.])
    b = (stars_ - f.mean - f.damped[rows]).sum()/8
    assert f'the bias is {b:+.2f} stars' in repr(row_944('bias'))
    scores = spoken(f.B, dict(zip(rows, stars_)), [1, 2, 3, 4, 5])
    best = [i for i in np.argsort(-scores) if i not in rows][:5]
    assert ', '.join(f'“{display_title(f.titles[i])}”' for i in best) in repr(row_944('list'))


# what all of them owe to every reader

@pytest.fixture(scope='module')
def all_demos(): return demos()

def test_many_on_one_page(show, all_demos):
    before = set(show(Widget('', '', '')).evaluate('Object.keys(window)'))
    few = all_demos[:10]  # one of every kind that has a script of its own
    page = show(*few, *few)
    assert page.locator('figure[data-ready][data-state]').count() == 20
    assert set(page.evaluate('Object.keys(window)')) - before == {'collabLesson'}
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(o => o.id)")
    assert len(ids) == len(set(ids))
    first = state(page, 0)
    page.get_by_role('slider').nth(0).press('End')
    assert state(page, 0) != first and state(page, 10) == first  # the same demonstration again keeps its own state
    page.evaluate("document.querySelectorAll('script:not([type])').forEach(o => { const s = document.createElement('script'); s.text = o.text; document.body.append(s) })")
    assert page.locator('.cl-body > :first-child').count() == 20  # running the scripts again changes nothing
    late = page.evaluate("html => { const d = document.createElement('div'); d.innerHTML = html; document.body.append(d); collabLesson.mount(); return !!d.querySelector('figure').dataset.state }", str(all_demos[0]))
    assert late  # Jupyter adds outputs to a page that runs already

@pytest.mark.parametrize('width', [900, 375])
def test_nothing_moves_or_scrolls_sideways(show, all_demos, width):
    still = [Widget(o.kind, re.sub(r'<script>.*', '', o.source, flags=re.S), o.fact) for o in all_demos]
    size = dict(viewport=dict(width=width, height=1000))
    heights = "[...document.querySelectorAll('.cl-body')].map(o => o.getBoundingClientRect().height)"
    page = show(*all_demos, **size)
    assert page.evaluate(heights) == show(*still, **size).evaluate(heights)
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    inside = "[...document.querySelectorAll('.cl-body')].every(b => [...b.querySelectorAll('button, input, table, svg')].every(o => o.getBoundingClientRect().right <= b.getBoundingClientRect().right))"
    assert page.evaluate(inside)

def test_without_javascript(show, all_demos):
    page = show(*all_demos, java_script_enabled=False)
    for o, body in zip(all_demos, page.locator('.cl-body').all()): assert body.is_visible() and body.inner_text() == o.fact == repr(o)

def background(page): return page.locator('figure.cl-w').evaluate('o => getComputedStyle(o).backgroundColor')

def test_theme(show):
    light, dark = 'rgb(255, 255, 255)', 'rgb(25, 28, 34)'
    for scheme, color in (('light', light), ('dark', dark)):
        page = show(y_range_demo(), color_scheme=scheme)
        assert background(page) == color
        for mark in ("document.documentElement.dataset.bsTheme = '{}'", "document.body.className = 'quarto-{}'"):
            for mode, want in (('dark', dark), ('light', light)):
                page.evaluate(mark.format(mode))
                if 'quarto' in mark: page.evaluate("delete document.documentElement.dataset.bsTheme")
                assert background(page) == want, (scheme, mark, mode)

def test_focus_is_seen_and_controls_have_names(show, all_demos):
    page, seen = show(*all_demos), set()
    for _ in range(250):
        page.keyboard.press('Tab')
        kind, name, outline = page.evaluate("""(() => { const o = document.activeElement, e = o.type === 'radio' ? o.nextSibling : o
            return [o.closest('figure')?.dataset.widget, o.labels?.[0]?.textContent || o.getAttribute('aria-label') || o.textContent, getComputedStyle(e).outlineStyle] })()""")
        if not kind: break
        seen.add(kind)
        assert name.strip() and outline == 'solid', (kind, name, outline)
    else: pytest.fail('the focus does not leave the page')
    assert seen == {o.kind for o in all_demos}

@pytest.mark.skipif(not axe.is_file(), reason='no axe-core: npm install axe-core, or name its axe.min.js in AXE_CORE')
@pytest.mark.parametrize('scheme, width', [('light', 1280), ('dark', 1280), ('light', 375), ('dark', 375)])
def test_axe(show, all_demos, scheme, width):
    page = show(*all_demos, color_scheme=scheme, viewport=dict(width=width, height=1000), head='<style>html{color-scheme:light dark}</style>')
    page.evaluate(axe.read_text(encoding='utf-8'))
    [page.get_by_role('radiogroup', name='Star Wars').get_by_role('radio', name='4').nth(0).check(force=True), page.get_by_role('radio', name='4').nth(1).check(force=True)]
    found = page.evaluate("axe.run().then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)]))")
    assert found == []

def test_touch(show):
    page = show(rate_demo(titles, factors, bias, offset, reg), one_hot_demo(), has_touch=True, viewport=dict(width=375, height=900))
    star(page, 2, 4).tap(force=True); check_fold_in(page, {2: 4})
    page.get_by_role('row').filter(has_text='0.61').tap()
    assert state(page, 1)['index'] == 4

def test_live_region_tells(show):
    page = show(one_hot_demo())
    page.get_by_role('slider').press('ArrowLeft')
    page.wait_for_function("document.querySelector('[role=status]').textContent.startsWith('row 2: the product made 40')")

def test_a_title_cannot_break_out(show):
    bad = '</script><b id="bad">&amp;<!--'
    page = show(dot_product_demo(movies={bad: (1, 0, 0)}), bias_demo([bad]*3, [1, 2, 3], [1, 2, 3]), movie_map_demo([bad]*3, np.eye(3)[:, :2], [[1], [2], [0]]))
    assert page.locator('#bad').count() == 0 and page.get_by_role('button', name=bad).first.is_visible()

def test_words_stay_when_a_script_fails(browser):
    w = one_hot_demo()
    page = browser.new_page()
    page.set_content(page_of(Widget(w.kind, w.source.replace('"factors":[[', '"factors":[null,['), w.fact)))
    assert page.locator('.cl-body').inner_text() == w.fact
    page.close()

def test_code_is_narrow():
    nb = json.loads((Path(__file__).parent.parent/'nbs/00_widgets.ipynb').read_text(encoding='utf-8'))
    code = [l for c in nb['cells'] if c['cell_type'] == 'code' for l in ''.join(c['source']).splitlines() if not l.startswith('#|')]
    assert len(code) > 300 and not [l for l in code if len(l) > 88]

def test_small():
    assert sum(len(asset(o)) for o in ('widget.js', 'theme.css', 'widget.css')) < 20_000
    for o in demos(): assert len(str(o)) < (68_000 if o.kind == 'row_944' else 42_000), (o.kind, len(str(o)))
    big = rate_demo([f'A title of a usual length {i}' for i in range(300)], rng.normal(0, .3, (300, 50)), rng.normal(0, 1, 300))
    assert len(str(big)) < 100_000

def test_tensors_and_frames_are_welcome():
    import pandas as pd, torch
    assert str(one_hot_demo(torch.ones(3, 2, requires_grad=True))) == str(one_hot_demo([[1, 1]]*3))
    frame = pd.DataFrame([[5, None], [1, 2.]], index=[7, 8], columns=['Up', 'Heat'])
    assert repr(descent_demo(frame)).startswith('2 users, 2 movies, 3 ratings.') and '7 and “Heat”' in repr(descent_demo(frame))


# bets and quizzes

def a_bet(**kw):
    return bet(**dict(question='Will `valid_loss` fall?', choices=['yes', 'no', 'first, then it rises'], answer=2, because='The model learns the noise.') | kw)

def a_quiz(**kw):
    choices = {'0': 'A lookup multiplies nothing.', '50': 'They are read, not multiplied.', '47,200': 'The product with a one-hot vector needs them.'}
    return quiz(**dict(question='How many multiplications does a lookup take?', choices=choices, answer='0') | kw)

@pytest.fixture
def visit(browser):
    "Open pages of one address each in one browser, which has a memory; at the end no error, and no request but for the page itself."
    context, wrong, asked = browser.new_context(), [], []
    def f(*widgets, name='chapter', **options):
        own = browser.new_context(**options) if options else context
        made.append(own)
        page = own.new_page()
        page.set_default_timeout(5000)
        page.on('console', lambda m: wrong.append(m.text) if m.type in ('error', 'warning') else None)
        page.on('pageerror', lambda e: wrong.append(str(e)))
        page.on('request', lambda r: asked.append(r.url))
        page.route('**/*', lambda r: r.fulfill(body=page_of(*widgets), content_type='text/html; charset=utf-8') if r.request.is_navigation_request() else r.fulfill(status=204))
        page.goto(url := f'https://lesson.test/{name}.html')
        urls.append(url)
        return page
    made, urls = [context], []
    yield f
    for o in made: o.close()
    assert not wrong and [o for o in asked if 'favicon' not in o] == urls

def box(page, n=0): return page.locator('.cl-ask[data-answer]').nth(n)
def choice(page, name, n=0): return box(page, n).locator('.cl-choices').get_by_role('button', name=name)
def told(page, n=0): return box(page, n).get_by_role('status').inner_text()

def test_bet(visit):
    page = visit(a_bet(), a_bet(question='And then?', answer='yes'))
    assert page.get_by_role('group', name='Bet: Will valid_loss fall?').locator('code').inner_text() == 'valid_loss'
    assert told(page) == '' and not page.get_by_text('learns the noise').first.is_visible()
    choice(page, 'no').click()
    assert re.split(r'\s*\n\s*', told(page)) == ['✗ You said: no.', 'Answer: first, then it rises', 'The model learns the noise.']
    assert choice(page, 'no').get_attribute('aria-pressed') == 'true' and choice(page, 'first').inner_text() == '✓ first, then it rises'
    choice(page, 'first').click(force=True)
    assert told(page).startswith('✗ You said: no.')  # one bet is one bet
    assert told(page, 1) == ''
    choice(page, 'yes', 1).click()
    assert told(page, 1).startswith('✓ Right.')

def test_bet_by_key(visit):
    page = visit(a_bet())
    for key in ('Tab', 'Tab', 'Tab', 'Enter'): page.keyboard.press(key)
    assert told(page).startswith('✓ Right.')
    assert page.evaluate('getComputedStyle(document.activeElement).outlineStyle') == 'solid'
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.textContent') == 'Clear my answer'
    page.keyboard.press('Space')
    assert told(page) == '' and page.evaluate('document.activeElement.textContent') == 'yes'
    page.keyboard.press('Space')
    assert told(page).startswith('✗ You said: yes.')

def test_quiz(visit):
    page = visit(a_quiz())
    choice(page, '47,200').click()
    assert told(page).split('\n')[0] == '✗ Not this one. Choose again.' and 'one-hot vector' in told(page) and 'not multiplied' not in told(page)
    assert '✓' not in box(page).inner_text()
    choice(page, '0').first.press('Enter')
    assert re.split(r'\s*\n\s*', told(page)) == ['✓ Right.', '✓ 0: A lookup multiplies nothing.', '✗ 50: They are read, not multiplied.',
                                                  '✗ 47,200: The product with a one-hot vector needs them.']

def test_a_second_visit_remembers(visit):
    both = a_bet(), a_quiz()
    page = visit(*both)
    choice(page, 'yes').click(); choice(page, '50', 1).click()
    page = visit(*both)
    assert told(page).startswith('✗ You said: yes.') and told(page, 1).startswith('✗ Not this one.')
    choice(page, '0', 1).first.click()
    other = visit(*both, name='other')
    assert told(other) == told(other, 1) == ''  # another chapter, another memory
    page = visit(a_bet(choices=['never', 'first, then it rises'], answer=1), both[1])
    assert told(page) == '' and told(page, 1).startswith('✓ Right.')  # the choice is gone
    page = visit(*both)
    box(page).get_by_role('button', name='Clear my answer').click()
    page = visit(*both)
    assert told(page) == '' and told(page, 1) != ''
    page.evaluate("localStorage.setItem(Object.keys(localStorage)[0], '{broken')")
    assert told(visit(*both), 1) == ''

chapters = [('data', 'The data', '01_data.ipynb', 2), ('bias', 'Bias', '07_bias.ipynb', 1), ('none', 'None', 'none.ipynb', 0)]

def test_progress(visit):
    both, map_ = (a_bet(), a_quiz()), progress(chapters)
    home = visit(map_, name='index')
    says = lambda p: p.locator('.cl-sum').inner_text()
    assert says(home) == repr(map_) and home.get_by_role('button').count() == 0  # nothing answered, nothing to forget
    page = visit(*both, name='01_data')  # the notebook 01_data.ipynb, and data.html, are chapter data
    assert page.locator('.cl-review').count() == 0
    choice(page, 'yes').click()
    review = page.locator('.cl-review')
    assert 'Your answers here: 1 of 2. Look again at:' in review.inner_text() and 'Will valid_loss fall?' in review.inner_text()
    choice(page, '0', 1).first.click()
    assert 'Your answers here: 2 of 2.' in review.inner_text() and review.get_by_role('listitem').count() == 1
    home.wait_for_function("document.querySelector('.cl-sum').textContent.includes('2 of 3')")  # told by the other tab
    home = visit(map_, name='index')
    assert says(home) == 'You have answered 2 of 3 questions; 1 question is worth another look.'
    assert home.locator('.cl-next').inner_text() == 'Go on with Bias.' and home.get_by_role('progressbar').evaluate('o => o.value') > .66
    home.locator('summary').click()
    assert '2 of 2 answered; look again at: “Will valid_loss fall?”' in home.locator('.cl-progress').inner_text()
    again = visit(*both, name='data')
    assert 'Your answers here: 2 of 2.' in again.locator('.cl-review').inner_text()
    again.locator('.cl-review').get_by_role('button', name='Will valid_loss').press('Enter')
    assert again.evaluate('document.activeElement.closest(".cl-ask").dataset.ask') == 'bet'
    home.get_by_role('button', name='Forget my answers').press('Enter')
    assert says(home) == repr(map_) and home.evaluate('Object.keys(localStorage).length') == 0
    assert told(visit(*both, name='data')) == ''

def test_forget_one_chapter(visit):
    page = visit(a_bet(), name='bias')
    choice(page, 'first').click()
    other = visit(a_bet(), name='data')
    choice(other, 'first').click()
    assert 'All were right at the first try.' in other.locator('.cl-review').inner_text()
    other.get_by_role('button', name='Forget my answers of this chapter').click()
    assert told(other) == '' and other.locator('.cl-review').count() == 0
    assert told(visit(a_bet(), name='bias')).startswith('✓ Right.') and told(visit(a_bet(), name='data')) == ''

def test_review_stands_at_the_end(visit):
    page = visit(a_bet(), Widget('', '<h2>Check yourself</h2><h2>Next</h2><p>on</p>', ''), name='data')
    choice(page, 'yes').click()
    assert page.locator('.cl-review').evaluate('o => o.nextElementSibling.textContent') == 'Next'

def test_a_book_in_one_file(visit):
    book = [Widget('', f'<nav id="contents"></nav><article id="{o}">{a_bet()}</article>', '') for o in ('data', 'bias')]
    page = visit(*book, name='book')
    choice(page, 'yes', 0).click()
    assert told(page, 0) and not told(page, 1) and page.locator('#data .cl-review').count() == 1
    assert page.evaluate("Object.keys(localStorage)[0]").startswith('collab-lesson answer data ')
    page.locator('#bias').get_by_role('button', name='yes').click()
    page.locator('#data').get_by_role('button', name='Forget my answers of this chapter').click()
    assert not told(page, 0) and told(page, 1) and page.evaluate("Object.keys(localStorage).map(o => o.split(' ')[2])") == ['bias']

def test_progress_without_javascript(show):
    page = show(progress(chapters), java_script_enabled=False)
    page.locator('summary').click()
    assert page.get_by_role('link').all_inner_texts() == ['The data', 'Bias'] and '3 questions' in page.locator('.cl-sum').inner_text()

@pytest.mark.skipif(not axe.is_file(), reason='no axe-core: npm install axe-core, or name its axe.min.js in AXE_CORE')
@pytest.mark.parametrize('scheme, width', [('light', 1280), ('dark', 1280), ('light', 375), ('dark', 375)])
def test_progress_is_legible(show, scheme, width):
    page = show(a_bet(), a_quiz(), progress(chapters), color_scheme=scheme, viewport=dict(width=width, height=900), head='<style>html{color-scheme:light dark}</style>')
    choice(page, 'yes').click(); choice(page, '50', 1).click(); choice(page, '0', 1).first.click()
    page.locator('.cl-progress summary').click()
    assert page.locator('.cl-review').count() == 1 and page.evaluate('document.documentElement.scrollWidth') <= width
    page.evaluate(axe.read_text(encoding='utf-8'))
    assert page.evaluate("axe.run('main').then(r => r.violations.map(v => [v.id, v.nodes[0].html]))") == []

def test_questions_without_a_memory(show):
    page = show(a_bet(), a_quiz())  # a page without an address: localStorage raises
    assert page.evaluate("(() => { try { return !localStorage } catch { return true } })()")
    choice(page, 'first').click(); choice(page, '0', 1).first.click()
    assert told(page).startswith('✓ Right.') and told(page, 1).startswith('✓ Right.')

def test_questions_without_javascript(show):
    page = show(a_bet(), a_quiz(), java_script_enabled=False)
    assert page.get_by_role('button').count() == 0
    assert page.get_by_role('listitem').all_inner_texts()[:3] == ['yes', 'no', 'first, then it rises']
    for n, text in enumerate(('Answer: first, then it rises', '50: They are read, not multiplied.')):
        answer = box(page, n).get_by_text(text)
        assert not answer.is_visible()
        box(page, n).locator('summary').click()
        assert answer.is_visible()

def test_questions_beside_demonstrations(show):
    page = show(a_bet(), one_hot_demo(), a_quiz(), a_bet())
    assert page.locator('.cl-choices button').count() == 9 and page.locator('figure[data-ready]').count() == 1
    page.evaluate("document.querySelectorAll('script:not([type])').forEach(o => { const s = document.createElement('script'); s.text = o.text; document.body.append(s) })")
    assert page.locator('.cl-choices button').count() == 9  # running the scripts again changes nothing
    choice(page, 'yes').click()
    assert told(page) and told(page, 2) == ''
    assert page.evaluate('document.querySelectorAll(".cl-ask [id]").length') == 0

@pytest.mark.parametrize('scheme, width', [('light', 900), ('dark', 375)])
def test_questions_are_legible(show, scheme, width):
    long = a_quiz(choices={'a choice that is a whole sentence, longer than the page is wide, and_a_long_name_without_any_space_in_it_at_all': 'So.', '50': 'No.', '0': 'No.'}, answer=0)
    page = show(a_bet(), a_quiz(), long, color_scheme=scheme, viewport=dict(width=width, height=900), head='<style>html{color-scheme:light dark}</style>')
    choice(page, 'yes').click(); choice(page, '0', 1).first.click(); choice(page, 'sentence', 2).click()
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    contrast = page.evaluate("""() => {
        const light = s => { const [r, g, b] = s.match(/[\\d.]+/g).map(v => v/255).map(v => v <= .03928 ? v/12.92 : ((v + .055)/1.055)**2.4); return .2126*r + .7152*g + .0722*b }
        const back = o => { for (; o; o = o.parentElement) { const c = getComputedStyle(o).backgroundColor; if (!/, 0\\)$/.test(c)) return c } }
        return [...document.querySelectorAll('.cl-ask :is(legend, legend i, button, p, b, li, span)')].filter(o => o.checkVisibility()).map(o => {
            const [a, b] = [light(getComputedStyle(o).color), light(back(o))].sort((a, b) => b - a); return (a + .05)/(b + .05) }) }""")
    assert len(contrast) > 30 and min(contrast) > 4.5
    if axe.is_file():
        page.evaluate(axe.read_text(encoding='utf-8'))
        assert page.evaluate("axe.run('main').then(r => r.violations.map(v => [v.id, v.nodes[0].html]))") == []

def test_a_choice_cannot_break_out(show):
    bad = '</script><b id="bad">&amp;<!--"'
    page = show(a_bet(question=bad, choices=[bad, 'no'], answer=0, because=bad), a_quiz(question=bad, choices={bad: bad, 'no': bad}, answer=0))
    choice(page, 'no').click(); choice(page, 'no', 1).click()
    assert page.locator('#bad').count() == 0 and told(page).count(bad) == 2

def test_questions_are_small():
    shared = sum(len(asset(o)) for o in ('theme.css', 'ask.css', 'ask.js'))
    for o in (a_bet(), a_quiz()):
        assert len(str(o)) - shared < 1000 and len(str(o)) < 10_000
        assert not re.search(r'\n\s*\n', str(o)) and str(o) == o._repr_html_()
    assert not re.search(r'\n\s*\n', str(a_bet(because='One.\n\nTwo.')))
    assert repr(a_bet()) == 'Bet: Will `valid_loss` fall? (yes / no / first, then it rises) Answer: first, then it rises. The model learns the noise.'

def test_a_computed_answer():
    import torch
    choices = ['no', 'yes']
    for answer in (1, 'yes', choices[int(2 > 1)], np.int64(1), torch.tensor([.1, .9]).argmax(), np.str_('yes')):
        assert 'data-answer="1"' in str(a_bet(choices=choices, answer=answer))
    assert 'data-answer="2"' in str(a_bet(choices=[1, 2, 5], answer=np.int64(5))) and 'data-answer="1"' in str(a_bet(choices=(.1, .5), answer=.5))

@pytest.mark.parametrize('make, says', [
    (lambda: one_hot_demo([[1, 2]]), '2 to 12 rows'),
    (lambda: one_hot_demo([['a', 'b']]*2), 'must hold numbers'),
    (lambda: one_hot_demo(names=['a']), '1 row names for 8 rows'),
    (lambda: dot_product_demo(movies={}), 'one movie or more'),
    (lambda: dot_product_demo([1]*7, {'A': [1]*7}, 'abcdefg'), 'show 6 or fewer'),
    (lambda: dot_product_demo(y_range=(5, 5)), 'low below high'),
    (lambda: y_range_demo(ratings=[3]), '2 to 10 different'),
    (lambda: y_range_demo(x=9), 'between -6 and 6'),
    (lambda: weight_decay_demo({-1: {}, 0: {}}), 'must not be negative'),
    (lambda: weight_decay_demo({0: {'train': [1]}, 1: {}}), "must have 'train' and 'valid'"),
    (lambda: weight_decay_demo(curves, curvature=0), 'must be positive'),
    (lambda: descent_demo(n_factors=4), 'must be 1, 2 or 3'),
    (lambda: descent_demo(lr=0), 'must be positive'),
    (lambda: bias_demo(['a'], [1, 2], [1, 2]), '1 title names for 2 titles'),
    (lambda: movie_map_demo(['a'], [[1, 2, 3]]), 'must have 2 columns'),
    (lambda: movie_map_demo(['a', 'b'], [[1, 2], [3, 4]], [[1]]), 'neighbors has 1 rows'),
    (lambda: rate_demo(titles, factors*1e6, bias), 'ends at 65504'),
    (lambda: rate_demo(titles, factors, bias, prior=[0]), '12 factors and a bias need 13'),
    (lambda: rate_demo(titles, factors, bias, show=31), 'between 1 and half'),
    (lambda: rate_demo(titles, factors, bias, B=likes[:3]), 'B has shape (3, 60)'),
    (lambda: row_944('Bias'), "stage 'Bias' is none of 'blank'"),
    (lambda: progress([]), 'no chapter asks a question'),
    (lambda: a_bet(answer='maybe'), "the answer 'maybe' is none of the choices: 'yes', 'no', 'first, then it rises'"),
    (lambda: a_bet(answer=3), 'the answer 3 is none of the choices'),
    (lambda: a_bet(answer=-1), 'the answer -1 is none'),
    (lambda: a_bet(answer=1.), 'the answer 1.0 is none'),
    (lambda: a_bet(answer=None), 'the answer None is none'),
    (lambda: a_bet(answer=True), 'choices[int(a > b)]'),
    (lambda: a_bet(answer=np.float64(2) > 1), 'choices[int(a > b)]'),
    (lambda: a_bet(choices=[1, 2, 4], answer=0), 'the answer 0 is none'),
    (lambda: a_bet(choices=['yes'], answer=0), '1 choice: give two or more'),
    (lambda: a_bet(choices=[], answer=0), '0 choices: give two or more'),
    (lambda: a_bet(choices=['yes', 'no', 'yes'], answer=0), "'yes' is there twice"),
    (lambda: a_bet(choices='yes', answer=0), 'give a list'),
    (lambda: a_bet(choices=['yes', ' '], answer=0), 'an empty choice'),
    (lambda: a_quiz(choices=['0', '50']), 'dict of choice to reason'),
    (lambda: a_quiz(choices={'0': 'So.'}), '1 choice: give two or more'),
    (lambda: a_quiz(choices={'0': 'So.', '50': ' '}), "'50' has no reason"),
    (lambda: a_quiz(choices={'0': 'So.', 0: 'So.'}), "'0' is there twice"),
    (lambda: a_quiz(answer='5'), "the answer '5' is none"),
])
def test_bad_input_is_named(make, says):
    with pytest.raises(ValueError, match=re.escape(says)): make()
