"MovieLens 1M from generated files in its format: the set itself is not needed here, and no network."
import hashlib, io, zipfile

import numpy as np, pytest
from collab_lesson import movielens as data
from collab_lesson.movielens import fetch_movielens_1m, movielens

SIZE = 600, 30, 40

def files(n=600, seed=0):
    "ratings.dat and movies.dat as GroupLens writes them: '::' between columns, Latin-1"
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(30*40)[:n]
    while len(set(pairs//40))<30 or len(set(pairs%40))<40: pairs = rng.permutation(30*40)[:n]
    rows = [f'{p//40+1}::{10*(p%40)+1}::{rng.integers(1, 6)}::{978300000+rng.integers(10**6)}' for p in pairs]
    films = [f'{10*i+1}::Film {i}, Le (19{50+i%50}) caf\xe9::Drama|Comedy' for i in range(41)]
    return {'ratings.dat': '\n'.join(rows).encode()+b'\n', 'movies.dat': '\n'.join(films).encode('latin-1')+b'\n'}

def write(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    for k,v in content.items(): (folder/k).write_bytes(v)
    return folder

def archive(content, prefix='ml-1m/'):
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w') as z:
        for k,v in content.items(): z.writestr(prefix+k, v)
        z.writestr('ml-1m/evil.sh', 'rm -rf /')
        z.writestr('../evil', 'x')
    return b.getvalue()

@pytest.fixture
def small(monkeypatch, tmp_path):
    "The three numbers of the generated set, an empty cache, and a GroupLens that serves `archive`"
    monkeypatch.setattr(data, 'SIZE_1M', SIZE)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path/'cache'))
    asked = []
    def serve(b, md5=None):
        def download(url, dest, timeout=None):
            asked.append(url)
            dest.write_bytes(b)
        monkeypatch.setattr(data, 'download_url', download)
        monkeypatch.setattr(data, 'MD5_1M', md5 or hashlib.md5(b).hexdigest())
    serve.asked, serve.cache = asked, tmp_path/'cache/collab_lesson'
    return serve

def test_the_published_numbers():
    assert data.MD5_1M=='c4d9eecfca2ab87c1945afe126590906' and data.SIZE_1M==(1_000_209, 6_040, 3_706)
    assert data.URL_1M=='https://files.grouplens.org/datasets/movielens/ml-1m.zip'

def test_a_folder_that_is_given(small, tmp_path):
    content = files()
    r = movielens('1m', write(tmp_path/'ml-1m', content))
    assert len(r)==600 and (r.n_users, r.n_items)==(31, 41) and r.times is not None and r.scale==(1, 5)
    first = content['ratings.dat'].decode().split('\n')[0].split('::')
    assert [r.user_names[r.users[0]], r.item_names[r.items[0]], int(r.values[0]), r.times[0]]==[int(o) for o in first], 'the order of the file'
    assert r.item_titles[11]=='Film 1, Le (1951) café'
    assert len(movielens('1m', str(tmp_path/'ml-1m')))==600

def test_grouplens_then_the_cache(small, capsys):
    small(archive(files()))
    assert len(movielens('1m'))==600 and small.asked==[data.URL_1M]
    assert fetch_movielens_1m()==small.cache/'ml-1m' and len(small.asked)==1, 'the second time the cache must do'
    assert 'served by the cache' in capsys.readouterr().out
    assert sorted(o.name for o in (small.cache/'ml-1m').iterdir())==['movies.dat', 'ratings.dat']
    assert [o.name for o in small.cache.iterdir()]==['ml-1m'], 'nothing is left behind'

def test_a_damaged_cache_is_replaced(small):
    small(archive(files()))
    write(small.cache/'ml-1m', files() | {'ratings.dat': b'1::2::3::4\n'})
    assert len(movielens('1m'))==600 and len(small.asked)==1

def test_another_archive_is_refused(small):
    small(archive(files()), md5='c4d9eecfca2ab87c1945afe126590906')
    with pytest.raises(FileNotFoundError, match='GroupLens: ValueError: its MD5 is'): movielens('1m')
    assert not [*small.cache.iterdir()]

@pytest.mark.parametrize('damage,why', [
    (lambda f: f | {'ratings.dat': b'\n'.join(f['ratings.dat'].split(b'\n')[:-2])}, 'has 599 ratings by'),
    (lambda f: f | {'ratings.dat': f['ratings.dat'].replace(b'::', b'\t')}, 'not in the format|has 600'),
    (lambda f: f | {'ratings.dat': b'<html>Please log in</html>'}, 'not in the format'),
    (lambda f: f | {'ratings.dat': b''}, 'not in the format|has 0 ratings'),
    (lambda f: f | {'ratings.dat': f['ratings.dat'].split(b'\n')[0]+b'\n'+b'\n'.join(f['ratings.dat'].split(b'\n')[:-2])}, 'pairs twice|has 600 ratings by'),
    (lambda f: f | {'ratings.dat': f['ratings.dat'].replace(b'::5::', b'::9::')}, 'beyond 1 to 5'),
    (lambda f: f | {'movies.dat': b'no film at all\n'}, 'movies.dat is not in the format'),
    (lambda f: {'movies.dat': f['movies.dat']}, 'no ratings.dat'),
    (lambda f: {'ratings.dat': f['ratings.dat']}, 'no movies.dat')])
def test_damaged_folders(small, tmp_path, damage, why):
    folder = write(tmp_path/'mine', damage(files()))
    with pytest.raises(FileNotFoundError, match=f'the folder .*mine: (ValueError|FileNotFoundError): .*({why})') as e: movielens('1m', folder)
    assert 'By hand: download' in str(e.value)

def test_other_names():
    with pytest.raises(ValueError, match="'20m'.*'1m'"): movielens('20m')
