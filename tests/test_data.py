"The data functions on bad input, and properties that hold for any input."
import numpy as np, pandas as pd, pytest, torch
from hypothesis import given, strategies as st
from pandas.testing import assert_frame_equal
from collab_lesson import movielens as data
from collab_lesson.data import *
from collab_lesson.movielens import *
from collab_lesson.ratings import *
from common import in_wheel_layout, movielens


# the files

def frames(path): return load_ratings(path, titles=True), load_movies(path), load_users(path)

@pytest.fixture(scope='module')
def official(): return movielens('official')

@pytest.fixture(scope='module')
def layouts(official, tmp_path_factory):
    "The official folder, and the same data as the wheel has it"
    return official, in_wheel_layout(official, tmp_path_factory.mktemp('wheel'))

def test_both_layouts_give_identical_frames(layouts):
    for a,b in zip(*map(frames, layouts)): assert_frame_equal(a, b, check_exact=True)

@pytest.mark.network
def test_the_real_wheel_gives_identical_frames(layouts, tmp_path):
    wheel = data._from_wheel(tmp_path, timeout=10)
    for a,b in zip(frames(layouts[0]), frames(wheel)): assert_frame_equal(a, b, check_exact=True)
    for f in layouts[1].iterdir(): assert f.read_bytes()==(wheel/f.name).read_bytes(), 'in_wheel_layout does not make what the wheel has'

def test_ratings_are_in_the_order_of_the_file(official):
    "…with titles, too, whatever pandas does in a merge"
    lines = [list(map(int, o.split('\t'))) for o in (official/'u.data').read_text().splitlines()]
    titles = {int(o.split('|')[0]): o.split('|')[1].strip() for o in (official/'u.item').read_text('latin-1').splitlines()}
    df = load_ratings(official, titles=True)
    assert df[['user', 'movie', 'rating', 'timestamp']].values.tolist() == lines
    assert df.title.tolist() == [titles[o[1]] for o in lines]
    assert_frame_equal(df.drop(columns='title'), load_ratings(official))

def test_fingerprints_do_not_depend_on_how_numbers_print():
    "NumPy 1 and 2 print a number inside a tuple differently; the fingerprint of the movie table must not change with them"
    movies = load_movies(movielens())
    with np.printoptions(legacy='1.25'): assert data._movies_sha256(movies)==data.MOVIES_SHA256
    as_python_numbers = movies.assign(year=[o if o is pd.NA else int(o) for o in movies.year])
    assert data._movies_sha256(as_python_numbers)==data.MOVIES_SHA256

@pytest.mark.parametrize('name,old,new', [('u.data', b'196\t242\t3', b'196\t242\t4'), ('u.data', b'\n', b'\r\n'), ('u.item', b'Toy Story', b'Toy story'),
    ('u.item', b'1995', b'1996'), ('u.item', b'1|Toy', b'2|Toy'), ('u.item', b'1|Toy', b'x|Toy'), ('u.item', b'|', b'\n')])
def test_changed_files_are_refused(official, tmp_path, name, old, new):
    for o in ('u.data', 'u.item', 'u.user'): (tmp_path/o).write_bytes((official/o).read_bytes())
    assert data._verify(tmp_path)==tmp_path
    (tmp_path/name).write_bytes((tmp_path/name).read_bytes().replace(old, new, 1))
    with pytest.raises(ValueError, match='ratings have sha256' if name=='u.data' else 'movie table'): data._verify(tmp_path)

@pytest.mark.parametrize('name', ['u.data', 'u.item', 'u.user'])
def test_missing_and_cut_files_are_refused(official, tmp_path, name):
    for o in ('u.data', 'u.item', 'u.user'): (tmp_path/o).write_bytes((official/o).read_bytes())
    b = (tmp_path/name).read_bytes()
    (tmp_path/name).unlink()
    with pytest.raises(FileNotFoundError, match=name): data._verify(tmp_path)
    (tmp_path/name).symlink_to(tmp_path/'nowhere')
    with pytest.raises(FileNotFoundError, match=f'{name} is a link to a file that is not there'): data._verify(tmp_path)
    (tmp_path/name).unlink()
    (tmp_path/name).symlink_to(official/name)  # DVC, git-annex and hub caches keep links
    assert data._verify(tmp_path)==tmp_path
    (tmp_path/name).unlink()
    for part in (b[:len(b)//2], b''):
        (tmp_path/name).write_bytes(part)
        with pytest.raises(ValueError, match='its (ratings|movie table|users) '): data._verify(tmp_path)


# splits

@given(st.integers(0, 3000), st.floats(), st.integers(0, 2**64))
def test_split_is_a_partition(n, pct, seed):
    try: train,valid = split_ratings(n, pct, seed)
    except ValueError as e:
        assert f'valid_pct={pct}' in str(e)
        assert not 0<pct<1 or int(n*pct) in (0, n)
    else:
        assert len(valid)==int(n*pct) and len(train) and len(valid)
        assert sorted([*train, *valid])==list(range(n))
        again = split_ratings(pd.DataFrame(index=range(n)), pct, seed)
        assert [o.tolist() for o in again]==[train.tolist(), valid.tolist()]

@given(st.integers(10, 500), st.integers(0, 1000), st.integers(0, 1000))
def test_seed_decides(n, a, b): assert (split_ratings(n, seed=a)[1].tolist()==split_ratings(n, seed=b)[1].tolist()) == (a==b) or n<30

def test_split_is_the_one_behind_the_books_numbers():
    train,valid = split_ratings(100_000)
    assert (len(train), len(valid)) == (80_000, 20_000)
    assert valid[:5].tolist()==[45262, 49850, 30394, 90177, 95569] and train[-5:].tolist()==[34957, 70338, 5668, 22113, 75400]

@pytest.mark.parametrize('name', data.SPLITS)
def test_canonical_splits_are_partitions(official, name):
    if not (official/f'{name}.test').exists(): pytest.skip(f'{name}.test is not in {official}')
    train,test = load_split(name, official)
    assert sorted([*train, *test])==list(range(100_000))
    pairs = load_ratings(official)[['user', 'movie']].to_numpy()
    line = (official/f'{name}.test').read_text().splitlines()[-1].split('\t')
    assert pairs[test[-1]].tolist()==[int(o) for o in line[:2]]

def test_the_five_folds_cover_everything_once(official):
    tests = [load_split(f'u{i}', official)[1] for i in range(1, 6)]
    assert sorted(np.concatenate(tests))==list(range(100_000))

def test_split_that_is_not_there(layouts):
    with pytest.raises(ValueError, match='choose one of u1'): load_split('u6', layouts[0])
    with pytest.raises(FileNotFoundError, match=r'(?s)u1\.base and u1\.test missing.*COLLAB_LESSON_DATA'): load_split('u1', layouts[1])

@pytest.mark.parametrize('damage', [lambda b: b[:len(b)//2], lambda b: b+b[:20], lambda b: b.replace(b'1\t', b'9999\t', 1), lambda b: b.partition(b'\n')[2]])
def test_damaged_split_is_refused(official, tmp_path, damage):
    for o in ('u.data', 'u.item', 'u.user', 'u1.base', 'u1.test'): (tmp_path/o).write_bytes((official/o).read_bytes())
    b = (tmp_path/'u1.test').read_bytes()
    (tmp_path/'u1.test').write_bytes(damage(b))
    with pytest.raises(ValueError, match='u1'): load_split('u1', tmp_path)


# check_ratings

good = pd.DataFrame(dict(user=[1,1,2,2], movie=[1,2,1,3], rating=[5,4,3,1]))

@pytest.mark.parametrize('bad,msg', [
    (good.drop(columns='rating'), 'columns missing: rating'),
    (good.drop(columns=['user', 'movie']), 'columns missing: user, movie'),
    (good[[]], 'columns missing: user, movie, rating'),
    (good[:0], '0 rows'),
    (good.assign(user=[1,None,2,2]), r'user: 1 of 4 rows are missing \(NaN\)'),
    (good.assign(movie=[None,2,None,3]), r'movie: 2 of 4 rows are missing'),
    (good.assign(rating=[5,np.nan,3,1]), 'rating: 1 of 4 rows are missing'),
    (good.assign(rating=pd.array([5,4,None,1], dtype='Int64')), 'rating: 1 of 4 rows are missing'),
    (good.assign(rating=[5,'four',3,1]), 'rating: 1 of 4 rows are not numbers'),
    (good.assign(rating=[5,object(),3,1]), 'rating: 1 of 4 rows are not numbers'),
    (good.assign(rating=[5,np.inf,3,-np.inf]), 'rating: 2 of 4 rows are infinite'),
    (good.assign(rating=[5,4,0,6]), r'rating: 2 of 4 rows lie outside the scale \(1, 5\)'),
    (good.assign(rating=[5,4,10**30,1]), 'rating: 1 of 4 rows lie outside'),
    (good.assign(movie=[1,1,1,3]), 'user, movie: 2 of 4 rows repeat a pair'),
    (good.assign(rating=['5','4','3','1']), r'rating: 4 of 4 rows are text.*pd\.to_numeric'),
    (pd.concat([good, good.rating], axis=1), 'columns that occur twice: rating'),
])
def test_check_ratings_refuses(bad, msg):
    before = bad.copy()
    with pytest.raises(ValueError, match=msg): check_ratings(bad)
    assert_frame_equal(bad, before)

@pytest.mark.parametrize('bad', [None, [1,2], {'user': [1], 'movie': [1], 'rating': [1]}, np.ones((3,3)), good.rating])
def test_check_ratings_wants_a_frame(bad):
    with pytest.raises(TypeError, match=f'{type(bad).__name__}.*DataFrame'): check_ratings(bad)

def test_complaint_shows_the_first_bad_rows_only():
    df = pd.DataFrame(dict(user=range(100), movie=1, rating=[9]*50 + [3]*50), index=range(1000, 1100))
    with pytest.raises(ValueError) as e: check_ratings(df)
    assert [o.split()[0] for o in str(e.value).splitlines()[2:]]==['1000', '1001', '1002']

def test_check_ratings_takes_what_is_in_order():
    for df in [good, good.astype(float), good.assign(rating=good.rating.astype('Int64')), good.assign(user=list('aabb')),
               good.set_axis([7,7,7,7]), good.sample(frac=1), good.assign(extra=None)]: assert check_ratings(df) is df
    halves = good.assign(rating=[.5,10,7,0])
    assert check_ratings(halves, scale=(0,10)) is halves and check_ratings(halves, scale=None) is halves
    other = good.rename(columns=dict(user='who', movie='what', rating='stars'))
    assert check_ratings(other, user_name='who', item_name='what', rating_name='stars') is other
    assert len(check_ratings(pd.concat([good, good]), unique=False))==8

values = st.sampled_from([1, 2, 3, 4, 5, 1.5, 4.999, 0, 6, -1, 5.001, float('nan'), float('inf'), -float('inf'), None, '3', 'x', ''])
fine = st.sampled_from([1, 2, 5, 4.5])
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4), st.one_of(fine, fine, fine, values)), max_size=5),
       st.lists(st.sampled_from(['user', 'movie', 'rating']), min_size=2, max_size=3, unique=True))
def test_check_ratings_agrees_with_the_rules(rows, columns):
    "The rules once more, on plain Python rows"
    df = pd.DataFrame(rows, columns=['user', 'movie', 'rating'])[columns]
    ok = (len(columns)==3 and len(rows)>0 and len({o[:2] for o in rows})==len(rows)
          and all(isinstance(o[2], (int, float)) and 1<=o[2]<=5 for o in rows))
    if ok: assert check_ratings(df) is df
    else:
        with pytest.raises(ValueError, match='user|movie|rating'): check_ratings(df)


# synthetic_ratings

@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32), st.integers(1, 8))
def test_synthetic_ratings_are_fit_to_train_on(n_users, n_items, share, seed, n_factors):
    n = max(1, int(share*n_users*n_items))
    df = check_ratings(synthetic_ratings(n_users, n_items, n, seed, n_factors))
    assert len(df)==n and df.user.between(1, n_users).all() and df.movie.between(1, n_items).all()
    assert df.timestamp.is_monotonic_increasing
    assert df.groupby('movie').title.nunique().max()==1 and df.groupby('title').movie.nunique().max()==1
    assert_frame_equal(df, synthetic_ratings(n_users, n_items, n, seed, n_factors))

@pytest.mark.parametrize('bad', [dict(n_users=0), dict(n_items=-1), dict(n_ratings=0), dict(n_users=2.), dict(n_items='3'), dict(n_users=None),
                                 dict(n_factors=0), dict(n_ratings=7, n_users=2, n_items=3)])
def test_synthetic_ratings_of_impossible_size(bad):
    with pytest.raises(ValueError, match=next(iter(bad))): synthetic_ratings(**bad)

def test_large_synthetic_ratings_take_the_other_road():
    "Above 3e7 cells pairs are drawn and repeats dropped"
    df = check_ratings(synthetic_ratings(40_000, 800, 5000, seed=3))
    assert len(df)==5000 and df.user.max()<=40_000 and df.movie.max()<=800
    assert df.movie.value_counts().iloc[0] > 10*df.movie.value_counts().median()


# DataLoaders

small = synthetic_ratings(40, 120, 800, seed=5)

@pytest.fixture(scope='module')
def dls(): return lesson_dls(small, device='cpu')

def test_lesson_dls_keeps_to_its_split(dls):
    train,valid = split_ratings(small)
    for ds,rows in [(dls.train_ds, train), (dls.valid_ds, valid)]:
        assert ds.items.index.tolist()==rows.tolist()
        assert ds.items.rating.tolist()==small.rating.iloc[rows].tolist()
    shuffled = small.set_axis(np.random.default_rng(0).permutation(len(small))) # labels must not matter, only the order
    assert_frame_equal(lesson_dls(shuffled, device='cpu').train_ds.items, dls.train_ds.items)

def test_titles_only_in_validation_are_unknown(dls):
    train,valid = (small.iloc[o] for o in split_ratings(small))
    unseen = ~valid.title.isin(train.title)
    assert unseen.any() and ((dls.valid_ds.items.title==0).to_numpy()==unseen.to_numpy()).all()

@pytest.mark.parametrize('bad,error,msg', [
    (dict(bs=0), ValueError, 'bs=0'), (dict(bs=-1), ValueError, 'bs=-1'), (dict(bs=2.), ValueError, 'bs=2.0'), (dict(bs='64'), ValueError, "bs='64'"),
    (dict(device='nonsense'), ValueError, "device 'nonsense'"), (dict(device='cuda:99'), ValueError, "device 'cuda:99'"), (dict(device=3.5), ValueError, 'device 3.5'),
    (dict(item_name='film'), ValueError, 'columns missing: film'), (dict(user_name='who'), ValueError, 'columns missing: who'),
    (dict(valid_pct=0), ValueError, 'valid_pct=0'), (dict(valid_pct=1.), ValueError, 'valid_pct=1.0'),
    (dict(splits=([], [1])), ValueError, 'splits'), (dict(splits=([0,1], [1,2])), ValueError, 'splits'), (dict(splits=([0,0], [1])), ValueError, 'splits'),
    (dict(splits=([0,1], [800])), ValueError, 'splits'), (dict(splits=([0,-1], [5])), ValueError, 'splits'),
    (dict(ratings=small[:0]), ValueError, '0 rows'), (dict(ratings=small[:1]), ValueError, 'valid_pct'),
    (dict(ratings=small.assign(title=None)), ValueError, 'title: 800 of 800'), (dict(ratings=small.assign(rating=np.inf)), ValueError, 'infinite'),
    (dict(ratings=small.drop(columns='title')), ValueError, 'columns missing: title'), (dict(ratings=[1,2,3]), TypeError, 'list'),
], ids=lambda o: str(o)[:40] if isinstance(o, dict) else '')
def test_lesson_dls_refuses(bad, error, msg):
    with pytest.raises(error, match=msg): lesson_dls(**dict(ratings=small, device='cpu') | bad)


# names and row numbers

def known(dls): return [list(dls.classes[o])[1:] for o in ('user', 'title')]

@given(st.data())
def test_decode_undoes_encode(dls, d):
    users,titles = (d.draw(st.lists(st.sampled_from(o), min_size=1, max_size=20)) for o in known(dls))
    n = min(len(users), len(titles))
    users,titles = [int(o) for o in users[:n]], titles[:n]
    x = encode(dls, users, titles)
    assert x.shape==(n,2) and x.dtype==torch.int64 and (x>0).all()
    assert decode(dls, x)==[*zip(users, titles)]
    assert decode(dls, encode(dls, users[0], titles))==[(users[0], o) for o in titles]
    assert decode(dls, encode(dls, users, titles[0]))==[(o, titles[0]) for o in users]

@given(st.data())
def test_encode_undoes_decode(dls, d):
    row = lambda o: st.integers(1, len(dls.classes[o])-1)
    x = torch.tensor(d.draw(st.lists(st.tuples(row('user'), row('title')), min_size=1, max_size=20)))
    assert encode(dls, *zip(*decode(dls, x))).equal(x)

def test_encode_takes_lists_of_any_kind(dls):
    rows = small[small.title.isin(dls.classes['title'])].head(5)
    want = encode(dls, rows.user.tolist(), rows.title.tolist())
    for users in [rows.user, rows.user.to_numpy(), torch.tensor(rows.user.tolist()), tuple(rows.user)]:
        for titles in [rows.title, rows.title.to_numpy(), tuple(rows.title)]:
            assert encode(dls, users, titles).equal(want)
    nothing = encode(dls, [], [])
    assert nothing.shape==(0,2) and nothing.dtype==torch.int64

@pytest.mark.parametrize('user,title,msg', [
    (0, 'Film 1 (1930)', r'Unknown user 0\. Did you mean 1, 2, 3\?'), (41, 'Film 1 (1930)', r'Unknown user 41\. Did you mean 40, 39, 38\?'),
    (float('nan'), 'Film 1 (1930)', 'Unknown user nan'), ('1', 'Film 1 (1930)', r"Unknown user '1'\. Did you mean 1, 10, 11\?"),
    ('#na#', 'Film 1 (1930)', "Unknown user '#na#'"), (1, '#na#', "Unknown title '#na#'"), (1, '', "Unknown title ''"),
    (1, 'film 1 (1930)', r"Did you mean 'Film 1 \(1930\)'"), (1, 'Film 1', r"Unknown title 'Film 1'\. Did you mean 'Film 1 "),
    (1, 'Flim 1 (1930)', r"Did you mean 'Film 1 \(1930\)'"), (1, '¡¿', 'Nothing among the'), (1, ['Film 1 (1930)', 'Film 99'], "Unknown title 'Film 99'"),
    ([1,2,3], ['Film 1 (1930)', 'Film 2 (1931)'], '3 users do not pair with 2 items')])
def test_unknown_names(dls, user, title, msg):
    with pytest.raises(ValueError, match=msg): encode(dls, user, title)

@given(st.one_of(st.text(), st.integers(), st.floats()))
def test_encode_either_finds_a_name_or_says_so(dls, name):
    for column,args in [('user', (name, 'Film 1 (1930)')), ('title', (1, name))]:
        try: x = encode(dls, *args)
        except ValueError as e: assert f'Unknown {column} {name!r}' in str(e)
        else: assert name in list(dls.classes[column])[1:] and len(x)==1

def test_book_style_sets_the_palette():
    import matplotlib as mpl
    with mpl.rc_context():
        book_style()
        assert mpl.rcParams['axes.prop_cycle'].by_key()['color']==palette and len(set(palette))==8
