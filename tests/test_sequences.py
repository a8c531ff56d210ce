"Chapter 20: order and its ties, chains, attention, losses, and the two demonstrations in a real browser."
import json, os, warnings
from pathlib import Path

import common
import numpy as np, pandas as pd, pytest, torch
from hypothesis import given, settings, strategies as st
from collab_lesson import sequences as S
from collab_lesson.collab_learner import load, save
from collab_lesson.ranking import EASE, evaluate, recommend, score_block
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.sequences import (FPMC, LastNeighbors, MarkovChain, SASNet, SASRec, attend, attention_demo, chunks, confidence, gbce_beta, histories,
                                     next_film_demo, pack_sasrec, recent_items, shipped_sasrec, shuffle_histories, shuffle_rows, tie_facts, unpack_sasrec)
from collab_lesson.training import fit

axe = Path(os.environ.get('AXE_CORE') or common.root/'node_modules/axe-core/axe.min.js')

def log(rows): return Ratings(pd.DataFrame(rows, columns=['user', 'item', 'time']).assign(rating=1), time='time')

@pytest.fixture(scope='module')
def ratings(): return Ratings(synthetic_ratings(60, 80, 1500, seed=9), item='movie', time='timestamp')

rows = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(0, 5)), min_size=1, max_size=40, unique_by=lambda o: o[:2])


# order

@given(rows, st.integers(0, 5))
@settings(max_examples=50)
def test_histories_and_recent_items_are_in_the_order_of_time(rows, seed):
    r = shuffle_rows(log(rows), seed)
    starts, items = histories(r)
    assert starts[0]==0 and starts[-1]==len(r) and sorted(items)==sorted(r.items)
    time = {(u, i): t for u,i,t in zip(r.users.tolist(), r.items.tolist(), r.times.tolist())}
    for u in range(1, r.n_users):
        own = items[starts[u]:starts[u+1]].tolist()
        assert [time[u,i] for i in own]==sorted(time[u,i] for i in own)
        last = [o for o in recent_items(r, 3)[u].tolist() if o]
        assert last==own[::-1][:3]

@given(rows, st.integers(1, 4))
@settings(max_examples=50)
def test_chunks_hold_every_step_once(rows, n):
    r = log(rows)
    starts, items = histories(r)
    want = sorted((u, items[j], items[j+1]) for u in range(1, r.n_users) for j in range(starts[u], starts[u+1]-1))
    with pytest.MonkeyPatch.context() as mp:
        mp.setattr(S, 'histories', lambda r, rng=None: (starts, items))  # one order of ties for both
        owner, x, y = chunks(r, n, None)
    got = sorted((int(u), int(a), int(b)) for u,xs,ys in zip(owner, x, y) for a,b in zip(xs, ys) if a)
    assert got==want and ((x>0)==(y>0)).all() and x.shape[1]==n

def test_ties_are_broken_at_random():
    r = log([(u, i, 5) for u in range(300) for i in (1, 2, 3, 4)] + [(300, i, 5-i) for i in (4, 3, 2, 1)])
    lasts = [shuffle_rows(r, s).split(by='last')[1] for s in (0, 1)]
    for o in lasts: assert pd.Series(o.item_names.index.take(o.items-1)).value_counts().between(45, 110).all()
    last = r.split(by='last')[1].to_frame()
    assert (last.item[last.user<300]==4).all(), 'the order of the table decides'
    a, b = (o.to_frame().sort_values('user').item.tolist() for o in lasts)
    assert a!=b

def test_shuffled_histories_keep_who_has_what(ratings):
    mixed = shuffle_histories(ratings, 3)
    assert (mixed.items==ratings.items).all() and (mixed.users==ratings.users).all() and (mixed.values==ratings.values).all()
    assert (mixed.times!=ratings.times).mean()>.8
    for u in (1, 7): assert sorted(mixed.times[mixed.users==u])==sorted(ratings.times[ratings.users==u])
    a, b = (recommend(fit(EASE(), o, bar=False).model, o, n=5) for o in (ratings, mixed))
    pd.testing.assert_frame_equal(a, b)

def test_no_times():
    r = Ratings(pd.DataFrame(dict(user=[1, 1], item=[2, 1], rating=[1, 1])))
    with pytest.warns(UserWarning, match='no times'): assert histories(r)[1].tolist()==[2, 1]
    for f in (tie_facts, shuffle_histories):
        with pytest.raises(ValueError, match='no times'): f(r)


# chains

def test_the_chain_by_hand():
    r = log([(1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 1, 0), (2, 2, 1), (3, 1, 0), (3, 3, 1)])
    m = fit(MarkovChain(shrink=2), r).model
    p = torch.tensor([0, 3/7, 2/7, 2/7])
    assert torch.allclose(m.similar_rows(1), (torch.tensor([0, 0, 2., 1.])+2*p)/5)
    assert torch.allclose(score_block(m, [2])[0], (torch.tensor([0, 0, 0, 1.])+2*p)/3), 'user 2 ends with item 2'
    assert torch.allclose(score_block(m, [0])[0], p), 'nobody: popularity'
    wide = fit(MarkovChain(shrink=0, window=2, fade=.5), r).model
    assert torch.allclose(wide.similar_rows(1), torch.tensor([0, 0, 2., 1.5])/3.5)
    both = fit(MarkovChain(shrink=2, n_last=2, forget=.5), r).model
    assert torch.allclose(score_block(both, [2])[0], m.similar_rows(2)+.5*m.similar_rows(1))

def test_know_replaces_histories(ratings):
    for make in (lambda: MarkovChain(5, n_last=3), LastNeighbors, lambda: SASRec(8, n_last=5, n_epoch=1)):
        m = fit(make(), ratings).model
        before = score_block(m, [1, 2])
        m.know(shuffle_histories(ratings, 1))
        assert not torch.allclose(score_block(m, [1, 2]), before)
        m.know(ratings)
        assert torch.allclose(score_block(m, [1, 2]), before, atol=1e-6)


# networks

@pytest.mark.parametrize('n_blocks,n_heads', [(1, 1), (2, 2)])
@given(st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=15)
def test_no_output_changes_when_the_future_does(n_blocks, n_heads, at, seed):
    torch.manual_seed(seed)
    net = SASNet(20, 10, 8, n_blocks, n_heads, .5).eval()
    for o in net.parameters(): torch.nn.init.normal_(o, std=.5)
    x = torch.randint(1, 20, (3, 10))
    y = x.clone()
    y[:,at:] = torch.randint(0, 20, (3, 10-at))
    with torch.no_grad(): h, g = net(None, x)[0], net(None, y)[0]
    assert torch.equal(h[:,:at], g[:,:at])

@given(st.integers(1, 30), st.integers(1, 16), st.booleans(), st.integers(0, 99))
@settings(max_examples=30)
def test_attention_is_pytorchs(L, d, causal, seed):
    q, k, v = torch.randn(3, 2, 2, L, d, generator=torch.Generator().manual_seed(seed))
    z, w = attend(q, k, v, causal)
    assert (z-torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)).abs().max()<1e-6
    assert torch.allclose(w.sum(-1), torch.ones(2, 2, L)) and (not causal or (w.triu(1)==0).all())

def test_one_seed_is_one_model_and_leaves_others_alone(ratings):
    for make in (lambda s: SASRec(8, n_last=5, n_epoch=1, seed=s), lambda s: FPMC(4, n_epoch=1, seed=s)):
        state = torch.random.get_rng_state()
        a, b, c = (score_block(fit(make(s), ratings).model, [1, 5]) for s in (1, 1, 2))
        assert torch.equal(state, torch.random.get_rng_state())
        assert torch.equal(a, b) and not torch.allclose(a, c)

@pytest.mark.parametrize('loss', ['softmax', 'bce', 'gbce'])
def test_every_loss_learns_a_circle(loss):
    "Items go round in a circle; the next one is certain"
    r = log([(u, (u+t)%12, t) for u in range(60) for t in range(8)])
    a, b = r.split(by='last')
    m = fit(SASRec(16, n_last=7, dropout=0., n_epoch=60 if loss=='gbce' else 30, lr=.02, bs=16, loss=loss, n_others=4), a).model
    assert evaluate(m, b, 1).recall>.9

def test_binary_losses_are_sure_in_the_order_of_their_beta():
    "The same data, the same negatives: the more correction, the smaller the probabilities in all"
    r = log([(u, (u*7+t*(1+u%3))%40, t) for u in range(80) for t in range(10)])
    a, b = r.split(by='last')
    total = [confidence(fit(SASRec(8, n_last=9, n_epoch=8, lr=.02, loss=l, n_others=2, t=t), a).model, b)['total'] for l,t in [('bce', 0), ('gbce', .5), ('gbce', 1.)]]
    assert total[0]>total[1]>total[2]
    softmax = confidence(fit(SASRec(8, n_last=9, n_epoch=2), a).model, b)
    assert softmax['total']==pytest.approx(1, abs=1e-4) and 0<=softmax['right']<=1 and 0<softmax['said']<=1

def test_beta():
    assert gbce_beta(1, 1681, 0.)==pytest.approx(1) and gbce_beta(1, 1681, 1.)==pytest.approx(1/1680) and gbce_beta(1680, 1681, .3)==pytest.approx(1)

@pytest.mark.parametrize('kw,says', [(dict(loss='mse'), "loss='mse'"), (dict(n_factors=7, n_heads=2), 'multiple'), (dict(dropout=1), 'dropout'), (dict(lr=0), 'lr=0'),
                                     (dict(n_last=0), 'n_last=0'), (dict(n_epoch=1.5), 'n_epoch=1.5'), (dict(t=-1), 't=-1'), (dict(n_blocks=True), 'n_blocks=True'), (dict(seed=-1), 'seed=-1')])
def test_settings_are_checked(kw, says):
    with pytest.raises(ValueError, match=says): SASRec(**kw)

def test_interrupted(ratings, monkeypatch):
    forward, calls = SASNet.forward, [0]
    def trip(self, *args):
        calls[0] += 1
        if calls[0]==7: raise KeyboardInterrupt
        return forward(self, *args)
    monkeypatch.setattr(SASNet, 'forward', trip)
    run = fit(SASRec(8, n_last=30, n_epoch=9, bs=32), ratings, bar=False)
    assert run.interrupted and 0<len(run.epochs)<9 and recommend(run.model, ratings, 1, 3).score.notna().all()

def test_it_is_saved_with_its_network(ratings, tmp_path):
    m = fit(SASRec(8, n_blocks=2, n_heads=2, n_last=5, n_epoch=1), ratings).model
    again, data = load(save(m, ratings, tmp_path/'m'))
    assert torch.equal(score_block(again, [1, 2]), score_block(m, [1, 2]))
    assert (again.n_blocks, again.n_heads, again.n_last, again.loss)==(2, 2, 5, 'softmax')
    x, w = again.attention(3)
    assert w.shape==(2, 2, len(x), len(x)) and torch.allclose(w.sum(-1), torch.ones_like(w[...,0]), atol=1e-5)


# demonstrations

@pytest.fixture(scope='module')
def sas():
    r = Ratings(synthetic_ratings(60, 80, 1500, seed=9), item='title', time='timestamp')
    return fit(SASRec(8, n_last=6, n_epoch=2), r).model, r

@pytest.fixture
def show(browser):
    made, wrong = [], []
    def f(*widgets, **options):
        context = browser.new_context(**{'viewport': dict(width=900, height=1000), 'reduced_motion': 'reduce', **options})
        page = context.new_page()
        made.append(context)
        page.set_default_timeout(8000)
        page.on('console', lambda m: wrong.append(m.text) if m.type in ('error', 'warning') else None)
        page.on('pageerror', lambda e: wrong.append(str(e)))
        page.on('request', lambda r: None if r.url.startswith(('data:', 'about:')) else wrong.append(f'request: {r.url}'))
        page.set_content('<!doctype html><html lang="en"><head><title>t</title><meta name="viewport" content="width=device-width"><style>html{color-scheme:light dark}</style></head>'
                         f'<body><main><h1>Demonstrations</h1>{"".join(map(str, widgets))}</main></body></html>')
        return page
    yield f
    for o in made: o.close()
    assert not wrong

def state(page, n=0): return json.loads(page.locator('figure.cl-w').nth(n).get_attribute('data-state'))

def in_python(packed, history):
    net = unpack_sasrec(packed)
    with torch.no_grad(): return (net(None, torch.tensor([[i+1 for i in history] or [0]]))[0][0,-1]@net.table.T + net.bias)[1:].numpy()

def test_the_page_computes_what_python_does(show):
    packed = shipped_sasrec()
    page = show(next_film_demo())
    def right(history):
        s = state(page)
        assert s['history']==history
        want = in_python(packed, history[-packed['n_last']:])
        np.testing.assert_allclose(s['scores'], want, atol=1e-4)
        left = [i for i in np.argsort(-want, kind='stable') if i not in history]
        assert s['top']==[packed['titles'][i] for i in left[:8]]
    start = [packed['titles'].index(o) for o in ('Toy Story (1995)', 'Star Wars (1977)', 'Alien (1979)')]
    right(start)
    page.get_by_role('button', name='Reverse the order').press('Enter'); right(start[::-1])
    page.get_by_role('button', name='Remove Star Wars').press('Enter'); right([start[2], start[0]])
    page.get_by_role('combobox').fill('fargo'); page.keyboard.press('Enter'); right([start[2], start[0], packed['titles'].index('Fargo (1996)')])
    first = state(page)['top'][0]
    page.get_by_role('button', name=first).press('Enter'); assert state(page)['history'][-1]==packed['titles'].index(first); right(state(page)['history'])
    page.get_by_role('button', name='Start again').click(); right(start)
    for o in ('Toy Story', 'Star Wars', 'Alien'): page.get_by_role('button', name=f'Remove {o}').click()
    right([]); assert 'everybody gets this list' in page.locator('.cl-note').inner_text()
    for _ in range(packed['n_last']+3): page.locator('.cl-film').first.click()
    assert len(state(page)['history'])==packed['n_last']; right(state(page)['history'])

def test_attention_by_key_and_by_mouse(show, sas):
    model, r = sas
    page = show(attention_demo(model, r, 3, n=6))
    items, w = model.attention(r.user_names.rows(3).item())
    def right(i):
        s = state(page)
        assert s['at']==i
        np.testing.assert_allclose(s['weights'], w[0,0,i,:i+1], atol=1e-4)
    right(5)
    page.keyboard.press('Tab'); page.keyboard.press('ArrowUp'); right(4)
    page.keyboard.press('Home'); right(0); assert 'only at itself' in page.locator('.cl-note').first.inner_text()
    page.keyboard.press('End'); right(5); page.keyboard.press('ArrowDown'); right(5)
    page.locator('.cl-film').nth(2).hover(); right(2)
    assert 'later, cannot be seen' in page.locator('.cl-film').nth(4).get_attribute('aria-label')
    assert page.locator('.cl-film[tabindex="0"]').count()==1, 'one stop for the whole list'

@pytest.mark.parametrize('width', [900, 375])
def test_nothing_scrolls_sideways_and_words_stay_without_a_script(show, sas, width):
    demos = [next_film_demo(), attention_demo(*sas, 3, n=6)]
    size = dict(viewport=dict(width=width, height=1000))
    page = show(*demos, **size)
    assert page.evaluate('document.documentElement.scrollWidth')<=width
    assert page.evaluate("[...document.querySelectorAll('.cl-body')].every(b => [...b.querySelectorAll('button, input')].every(o => o.getBoundingClientRect().right <= b.getBoundingClientRect().right + 1))")
    page = show(*demos, java_script_enabled=False, **size)
    for o,body in zip(demos, page.locator('.cl-body').all()): assert body.is_visible() and body.inner_text()==o.fact==repr(o)

@pytest.mark.skipif(not axe.is_file(), reason='no axe-core: npm install axe-core, or name its axe.min.js in AXE_CORE')
@pytest.mark.parametrize('scheme,width', [('light', 1280), ('dark', 375)])
def test_axe(show, sas, scheme, width):
    page = show(next_film_demo(), attention_demo(*sas, 3, n=6), color_scheme=scheme, viewport=dict(width=width, height=1000))
    page.evaluate(axe.read_text(encoding='utf-8'))
    found = page.evaluate("axe.run().then(r => r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)]))")
    assert found==[]

def test_it_is_small(): assert len(json.dumps(shipped_sasrec()))<100_000 and len(str(next_film_demo()))<150_000

def test_bad_demos(sas):
    with pytest.raises(ValueError, match='No Such'): next_film_demo(['No Such Film'])
    with pytest.raises(ValueError, match='one block'): pack_sasrec(SASRec(n_blocks=2), sas[1])
    with pytest.raises(ValueError, match='Unknown user'): attention_demo(*sas, 999)
