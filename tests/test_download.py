"Fetching the data from servers that fail in every way we could think of. All of them are on this machine; nothing here needs a network."
import http.server, io, os, shutil, signal, stat, sys, tarfile, tempfile, threading, time, venv, zipfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from fastai.data.external import fastai_cfg
from collab_lesson import movielens as data
from collab_lesson.movielens import fetch_movielens, load_ratings
from common import in_wheel_layout, movielens, python


# a server that does as it is told

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.routes.get(self.path)
        if callable(answer): answer(self)
        elif answer is None: self.send_error(404)
        else: self.reply(answer)

    def reply(self, body, length=None, code=200, **headers):
        "Send `body`, claiming that it has `length` bytes (0: claim nothing)"
        self.send_response(code)
        if length!=0: self.send_header('Content-Length', str(length or len(body)))
        for k,v in ({'Content-Type': 'text/html'} | headers).items(): self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)

    def stall(self): self.wfile.flush(); self.server.over.wait(20)
    def log_message(self, *args): pass

@pytest.fixture(scope='module')
def server():
    s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    s.daemon_threads, s.routes, s.asked, s.over = True, {}, [], threading.Event()
    s.url = f'http://127.0.0.1:{s.server_port}'
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield s
    s.over.set()
    s.shutdown()
    s.server_close()

def zipped(files, **links):
    "A zip archive of {name: bytes}; `links` are symbolic links {name: target} in ml-100k/"
    b = io.BytesIO()
    with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) as z:
        for name,body in files.items(): z.writestr(name, body)
        for name,target in links.items():
            o = zipfile.ZipInfo(f'ml-100k/{name.replace("_", ".")}')
            o.create_system, o.external_attr = 3, (stat.S_IFLNK | 0o777)<<16
            z.writestr(o, target)
    return b.getvalue()

def members(folder): return {f'ml-100k/{o.name}': o.read_bytes() for o in folder.iterdir() if o.name in data._expected}

@pytest.fixture(scope='module')
def good(): return members(movielens())

@pytest.fixture(scope='module')
def good_zip(good): return zipped(good)

@pytest.fixture(scope='module')
def good_wheel(tmp_path_factory):
    "What the PyPI wheel would be if it held nothing but the data"
    folder = movielens()
    if (folder/'u.item').exists(): folder = in_wheel_layout(folder, tmp_path_factory.mktemp('layout'))
    return fake_wheel({f'recbole/dataset_example/{k}': v for k,v in members(folder).items()})

def fake_wheel(files):
    info = {'METADATA': 'Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n', 'RECORD': '',
            'WHEEL': 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'}
    return zipped(files | {f'recbole-1.2.1.dist-info/{k}': v for k,v in info.items()})


# a machine that has nothing yet

def forget(monkeypatch, tmp_path):
    for o in list(os.environ):
        if o.startswith('PIP_') or o.lower().endswith('_proxy') or o=='COLLAB_LESSON_DATA': monkeypatch.delenv(o)
    for o in ('home', 'cache', 'fastai', 'tmp'): (tmp_path/o).mkdir()
    env = dict(HOME='home', XDG_CACHE_HOME='cache', FASTAI_HOME='fastai', TMPDIR='tmp')
    for k,v in env.items(): monkeypatch.setenv(k, str(tmp_path/v))
    monkeypatch.setenv('PIP_CONFIG_FILE', os.devnull)
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path/'tmp'))
    fastai_cfg.cache_clear() # it remembers the home that it saw first

@pytest.fixture
def machine(server, tmp_path, monkeypatch):
    "An empty home, GroupLens and PyPI on the local server (where they have nothing), and where to look for what was left behind"
    forget(monkeypatch, tmp_path)
    server.routes.clear()
    server.asked.clear()
    monkeypatch.setattr(data.URLs, 'ML_100k', f'{server.url}/ml-100k.zip')
    monkeypatch.setenv('PIP_INDEX_URL', f'{server.url}/simple')
    return SimpleNamespace(cache=tmp_path/'cache/collab_lesson/ml-100k', tmp=tmp_path/'tmp', home=tmp_path, server=server,
                           grouplens=lambda answer: server.routes.update({'/ml-100k.zip': answer}))

@pytest.fixture(autouse=True)
def afterwards(monkeypatch):
    yield
    monkeypatch.undo()
    fastai_cfg.cache_clear()

@pytest.fixture
def no_wheel(monkeypatch):
    "Spares starting pip where a test is about GroupLens"
    def refuse(*args): raise OSError('no wheel today')
    monkeypatch.setattr(data, '_from_wheel', refuse)

def assert_nothing_left(m):
    assert not m.cache.parent.exists() or not [*m.cache.parent.iterdir()]
    assert not [*m.tmp.iterdir()]
    assert not [o for o in m.home.rglob('*') if 'evil' in o.name]

def refused(m, timeout=5, **kwargs):
    "The error's message, after checking that it names every source and that nothing was left behind"
    start = time.monotonic()
    with pytest.raises(FileNotFoundError) as e: fetch_movielens(timeout=timeout, **kwargs)
    msg = str(e.value)
    lines = [o for o in msg.splitlines() if o.startswith('  ')]
    assert [o.split(':')[0] for o in lines[-3:]] == [f'  {i+len(lines)-2}. {o}' for i,o in enumerate(['the cache', 'GroupLens', f'the PyPI wheel {data.WHEEL}'])]
    assert len(lines)==len(msg.splitlines())-2, 'one line for each source, one before and one after'
    assert all(o.partition(': ')[2] for o in lines), f'no reason: {lines}'
    assert 'By hand' in msg and data.URLs.ML_100k in msg and 'COLLAB_LESSON_DATA' in msg
    assert time.monotonic()-start < 20*timeout
    assert_nothing_left(m)
    return msg

def served(m, timeout=5, **kwargs):
    "The folder, after checking that it is the cache with exactly what is expected in it"
    folder = fetch_movielens(timeout=timeout, **kwargs)
    assert folder==m.cache and data._verify(folder)
    assert {o.name for o in folder.iterdir()} <= set(data._expected)
    assert [o.name for o in folder.parent.iterdir()]==['ml-100k'] and not [*m.tmp.iterdir()]
    assert not [o for o in m.home.rglob('*') if 'evil' in o.name]
    return folder


# GroupLens

def test_good_archive_is_served_once(machine, no_wheel, good_zip, capfd):
    machine.grouplens(good_zip)
    folder = served(machine)
    assert 'served by GroupLens' in capfd.readouterr().out
    assert served(machine)==folder and machine.server.asked==['/ml-100k.zip'], 'the second time the cache must do'
    assert 'served by the cache' in capfd.readouterr().out
    fetch_movielens(quiet=True)
    assert capfd.readouterr().out==''
    assert [o.name for o in (machine.home/'fastai').rglob('*') if o.is_file()] in ([], ['config.ini'])

some = zipped({'ml-100k/u.data': b'196\t242\t3\t881250949\n'*20_000})
faults = dict(
    not_found=lambda h: h.send_error(404),
    broken=lambda h: h.send_error(500),
    moved_in_circles=lambda h: h.reply(b'', code=302, Location='/ml-100k.zip'),
    truncated=lambda h: h.reply(some[:len(some)//2], length=len(some)),
    truncated_silently=lambda h: h.reply(some[:len(some)//2], length=0),
    claims_too_little=lambda h: h.reply(some, length=len(some)//2),
    empty=lambda h: h.reply(b'', length=0),
    noise=lambda h: h.reply(bytes(range(256))*100),
    a_web_page=lambda h: h.reply(b'<html><h1>Please log in to this WiFi</h1></html>'),
    no_http=lambda h: h.wfile.write(b'ahoy\r\n\r\n'),
    hangs_up=lambda h: None,
)

@pytest.mark.parametrize('fault', faults)
def test_faults(machine, no_wheel, fault):
    machine.grouplens(faults[fault])
    assert 'no wheel today' in refused(machine)
    assert '/ml-100k.zip' in machine.server.asked

def test_nobody_listens(machine, no_wheel, monkeypatch):
    monkeypatch.setattr(data.URLs, 'ML_100k', 'http://127.0.0.1:9/ml-100k.zip')
    assert 'refused' in refused(machine)

def silent(h): h.stall()
def silent_half_way(h): h.reply(some[:100], length=len(some)); h.stall()

@pytest.mark.parametrize('fault', [silent, silent_half_way])
def test_a_silent_server_is_left_alone_after_the_timeout(machine, no_wheel, fault):
    machine.grouplens(fault)
    start = time.monotonic()
    assert 'timed out' in refused(machine, timeout=1)
    assert time.monotonic()-start < 8

def tar(files):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode='w:gz') as t:
        for name,body in files.items():
            o = tarfile.TarInfo(name)
            o.size = len(body)
            t.addfile(o, io.BytesIO(body))
    return b.getvalue()

hostile = dict(
    climbs_out=lambda d: zipped({'ml-100k/../../../evil': b'x', '../evil': b'x', '../../../../../../evil': b'x'}),
    absolute=lambda d: zipped({f'{d}/evil': b'x', f'/{d}/evil2': b'x'}),
    backslashes=lambda d: zipped({'..\\..\\evil': b'x'}),
    symlinks=lambda d: zipped({}, u_data='/etc/passwd', u_item='/etc/passwd', u_user='/etc/passwd'),
    other_things=lambda d: zipped({'ml-100k/evil.py': b'x', 'evil/u.data': b'x'}),
    folders_for_files=lambda d: zipped({'ml-100k/u.data/evil': b'x', 'ml-100k/u.item/': b''}),
    a_file_for_the_folder=lambda d: zipped({'ml-100k': b'x'}),
    one_file_only=lambda d: some,
    nothing=lambda d: zipped({}),
    really_a_tar=lambda d: tar({'../evil': b'x', 'ml-100k/u.data': b'x'}),
    damaged_inside=lambda d: some[:60] + b'evil' + some[64:],
)

@pytest.mark.parametrize('kind', hostile)
def test_hostile_archives(machine, no_wheel, kind):
    (machine.home/'outside').mkdir()
    machine.grouplens(hostile[kind](machine.home/'outside'))
    refused(machine)

@pytest.mark.parametrize('change', [lambda b: b[:-40], lambda b: b+b, lambda b: b.replace(b'24', b'42', 1), lambda b: b''], ids=['cut', 'doubled', 'changed', 'empty'])
def test_right_names_with_wrong_content(machine, no_wheel, good, change):
    needed = {k: v for k,v in good.items() if k.split('/')[1] in sum(data._needed, ())}
    for name in needed:
        machine.grouplens(zipped(needed | {name: change(needed[name])}))
        refused(machine)

def test_of_a_good_archive_only_the_expected_members_are_kept(machine, no_wheel, good):
    (machine.home/'outside').mkdir()
    machine.grouplens(zipped(good | {'ml-100k/mku.sh': b'rm -rf /', 'ml-100k/evil': b'x', '../evil': b'x', f'{machine.home}/outside/evil': b'x',
                                     'ml-100k/deeper/evil': b'x'}, README='/etc/passwd'))
    folder = served(machine)
    assert {o.name for o in folder.iterdir()}=={o.split('/')[1] for o in good}
    assert not [o for o in folder.rglob('*') if o.is_symlink() or o.is_dir()]

@pytest.mark.parametrize('fault', ['truncated', 'not_found', 'noise'])
def test_a_failed_fetch_can_be_repeated(machine, no_wheel, good_zip, fault):
    machine.grouplens(faults[fault])
    refused(machine)
    machine.grouplens(good_zip)
    served(machine)

def test_several_at_once(machine, no_wheel, good_zip):
    machine.grouplens(good_zip)
    with ThreadPoolExecutor(4) as pool: folders = [*pool.map(lambda _: fetch_movielens(), range(4))]
    assert set(folders)=={served(machine)}

def test_another_process_is_quicker(machine, no_wheel, good, good_zip, monkeypatch):
    "It fills the cache while ours has verified its copy but not yet moved it in"
    verify = data._verify
    def and_meanwhile(folder):
        if str(folder).endswith('new') and not machine.cache.exists():
            machine.cache.mkdir()
            for k,v in good.items(): (machine.cache.parent/k).write_bytes(v)
        return verify(folder)
    monkeypatch.setattr(data, '_verify', and_meanwhile)
    machine.grouplens(good_zip)
    served(machine)


# killed half way

kill = '''
import os, shutil, signal, sys
from collab_lesson import movielens as data
url, moment = sys.argv[1:]
data.URLs.ML_100k, calls = url, []
def dies(f, call):
    def inner(*args, **kwargs):
        calls.append(1)
        if len(calls)==call: os.kill(os.getpid(), signal.SIGKILL)
        return f(*args, **kwargs)
    return inner
if moment=='copying': shutil.copyfile = dies(shutil.copyfile, 2)
data.fetch_movielens(timeout=60)
'''
moments = ['downloading', 'copying']

@pytest.fixture(scope='module')
def victims(server, good_zip, tmp_path_factory):
    "Two processes, started together to save time, each of which will be killed at another moment"
    half_way, res = threading.Event(), {}
    def half(h): h.reply(good_zip[:len(good_zip)//2], length=len(good_zip)); h.wfile.flush(); half_way.set(); h.stall()
    for moment in moments:
        tmp_path = tmp_path_factory.mktemp(moment)
        with pytest.MonkeyPatch.context() as mp:
            forget(mp, tmp_path)
            server.routes[f'/{moment}/ml-100k.zip'] = half if moment=='downloading' else good_zip
            res[moment] = python(kill, f'{server.url}/{moment}/ml-100k.zip', moment), tmp_path
    try:
        assert half_way.wait(100), 'the download never started'
        time.sleep(.2)
        res['downloading'][0].kill()
        for p,_ in res.values(): p.communicate(timeout=100)
    finally:
        for p,_ in res.values(): p.kill()
    return res

@pytest.mark.skipif(os.name=='nt', reason='no SIGKILL')
@pytest.mark.parametrize('moment', moments)
def test_killed(victims, moment, server, good_zip, no_wheel, monkeypatch):
    p, tmp_path = victims[moment]
    assert p.returncode==-signal.SIGKILL
    cache = tmp_path/'cache/collab_lesson/ml-100k'
    assert not cache.exists(), 'half-written'
    for o in ('XDG_CACHE_HOME', 'FASTAI_HOME'): monkeypatch.setenv(o, str(tmp_path/{'X': 'cache', 'F': 'fastai'}[o[0]]))
    monkeypatch.delenv('COLLAB_LESSON_DATA', raising=False)
    monkeypatch.setattr(data.URLs, 'ML_100k', f'{server.url}/again/ml-100k.zip')
    server.routes['/again/ml-100k.zip'] = good_zip
    assert fetch_movielens()==cache and data._verify(cache), 'it cannot be repeated'

def test_leftovers_of_the_killed_are_swept_up(machine, no_wheel, good_zip):
    "…but not those of a process that may be at work; and one that has just finished is no trouble"
    old, fresh, gone = (machine.cache.parent/f'.fetching-{o}' for o in ('old', 'fresh', 'gone'))
    for o in (old, fresh): (o/'new').mkdir(parents=True); (o/'new/u.data').write_bytes(b'half')
    os.utime(old, (time.time()-7200,)*2)
    gone.symlink_to('nowhere') # listed, but not there when looked at
    machine.grouplens(good_zip)
    fetch_movielens()
    assert sorted(o.name for o in machine.cache.parent.iterdir())==['.fetching-fresh', '.fetching-gone', 'ml-100k']

def test_ctrl_c_stops_at_once_and_leaves_nothing(machine, monkeypatch):
    def interrupted(tmp, timeout):
        (tmp/'ml-100k.zip.part').write_bytes(b'half')
        raise KeyboardInterrupt
    monkeypatch.setattr(data, '_from_grouplens', interrupted)
    with pytest.raises(KeyboardInterrupt): fetch_movielens()
    assert_nothing_left(machine)


# the wheel, through pip

name = 'recbole-1.2.1-py3-none-any.whl'
def index(m, wheel, name=name):
    m.server.routes.update({'/simple/recbole/': f'<!DOCTYPE html><html><body><a href="/files/{name}">{name}</a></body></html>'.encode(), f'/files/{name}': wheel})

def test_the_wheel_serves_where_grouplens_does_not(machine, good_wheel, monkeypatch, capfd):
    monkeypatch.setattr(data, 'WHEEL_SHA256', data._sha256(good_wheel))
    machine.grouplens(faults['truncated'])
    index(machine, good_wheel)
    folder = served(machine)
    said = [o for o in capfd.readouterr().out.splitlines() if 'served by' in o]
    assert len(said)==1 and 'served by the PyPI wheel recbole==1.2.1; not by GroupLens (' in said[0].rpartition('\r')[2]
    assert {o.name for o in folder.iterdir()}=={'ml-100k.inter', 'ml-100k.item', 'ml-100k.user'}
    assert len(load_ratings(titles=True))==100_000
    assert 'recbole' not in sys.modules

def test_another_wheel_of_that_name_is_refused(machine, good_wheel):
    index(machine, good_wheel)
    assert f'{name} does not have the expected sha256' in refused(machine)

@pytest.mark.parametrize('files', [{}, {'recbole/dataset_example/ml-100k/../../../../evil': b'x'}])
def test_a_wheel_without_the_files(machine, monkeypatch, files):
    wheel = fake_wheel(files)
    monkeypatch.setattr(data, 'WHEEL_SHA256', data._sha256(wheel))
    index(machine, wheel)
    assert 'ERROR' not in refused(machine), 'pip must be content: it is us who refuse'

pip_faults = dict(
    no_index=lambda m: None,
    another_version=lambda m: index(m, b'x', name.replace('1.2.1', '1.2.0')),
    source_only=lambda m: index(m, b'x', 'recbole-1.2.1.tar.gz'),
    no_file=lambda m: index(m, None),
    not_a_wheel=lambda m: index(m, b'<html>'),
    truncated=lambda m: index(m, faults['truncated']),
)

@pytest.mark.parametrize('fault', pip_faults)
def test_pip_faults(machine, fault):
    pip_faults[fault](machine)
    assert f'the PyPI wheel {data.WHEEL}: OSError: pip: ERROR' in refused(machine)
    assert (f'/files/{name}' in machine.server.asked) == (fault in ('no_file', 'not_a_wheel', 'truncated'))

def test_a_silent_index_is_left_alone_after_the_timeout(machine):
    machine.server.routes['/simple/recbole/'] = silent
    start = time.monotonic()
    refused(machine, timeout=1)
    assert time.monotonic()-start < 18

def test_without_pip(machine, monkeypatch):
    venv.create(machine.home/'bare', with_pip=False)
    monkeypatch.setattr(sys, 'executable', str(machine.home/'bare'/('Scripts' if os.name=='nt' else 'bin')/'python'))
    assert 'No module named pip' in refused(machine)


# folders and the cache

def test_the_folder_that_was_named_comes_first(machine, good, tmp_path, monkeypatch, capfd):
    (tmp_path/'mine/ml-100k').mkdir(parents=True)
    for k,v in good.items(): (tmp_path/'mine'/k).write_bytes(v)
    mine = tmp_path/'mine/ml-100k'
    monkeypatch.setenv('COLLAB_LESSON_DATA', str(mine))
    assert fetch_movielens()==mine and 'served by COLLAB_LESSON_DATA' in capfd.readouterr().out
    monkeypatch.setenv('COLLAB_LESSON_DATA', str(tmp_path/'nowhere'))
    assert fetch_movielens(mine)==mine and fetch_movielens(str(mine))==mine
    assert not machine.server.asked and not machine.cache.exists()

def test_a_wrong_folder_is_passed_over_aloud(machine, no_wheel, good_zip, tmp_path, monkeypatch, capfd):
    machine.grouplens(good_zip)
    monkeypatch.setenv('COLLAB_LESSON_DATA', str(tmp_path/'nowhere'))
    fetch_movielens(quiet=True)
    assert 'served by GroupLens; not by COLLAB_LESSON_DATA (FileNotFoundError: no u.data' in capfd.readouterr().out.rpartition('\r')[2]
    fetch_movielens(tmp_path/'nowhere either', quiet=True)
    assert f'served by the cache; not by the folder {tmp_path}/nowhere either (' in capfd.readouterr().out

@pytest.mark.parametrize('path', ['nowhere', 'file', 'empty'])
def test_wrong_folders_are_listed(machine, no_wheel, tmp_path, monkeypatch, path):
    (tmp_path/'file').write_text('x')
    (tmp_path/'empty').mkdir()
    assert f'  1. the folder {tmp_path/path}: FileNotFoundError: no u.data' in refused(machine, path=tmp_path/path)
    monkeypatch.setenv('COLLAB_LESSON_DATA', str(tmp_path/path))
    assert '  1. COLLAB_LESSON_DATA: FileNotFoundError: no u.data' in refused(machine)

@pytest.mark.parametrize('damage', [
    lambda cache: [(cache/o).write_bytes(b'short') for o in data._needed[0] if (cache/o).exists()],
    lambda cache: [o.unlink() for o in cache.iterdir()],
    lambda cache: [(shutil.copyfile(o, o.with_suffix('.real')), o.unlink(), o.symlink_to(o.with_suffix('.real'))) for o in [*cache.iterdir()]],
    lambda cache: (shutil.rmtree(cache), cache.write_text('a file')),
], ids=['changed', 'emptied', 'linked', 'a file'])
def test_a_damaged_cache_is_replaced(machine, no_wheel, good, good_zip, damage):
    machine.cache.mkdir(parents=True)
    for k,v in good.items(): (machine.cache.parent/k).write_bytes(v)
    assert fetch_movielens()==machine.cache and not machine.server.asked
    damage(machine.cache)
    with pytest.raises(FileNotFoundError, match='1. the cache: '): fetch_movielens()
    machine.grouplens(good_zip)
    served(machine)

def test_a_cache_that_cannot_be_written(machine, no_wheel, good_zip, monkeypatch):
    (machine.home/'file').write_text('x')
    monkeypatch.setenv('XDG_CACHE_HOME', str(machine.home/'file'))
    machine.grouplens(good_zip)
    with pytest.raises(FileNotFoundError, match=r'(?s)GroupLens: \w+: .*file'): fetch_movielens()
    assert (machine.home/'file').read_text()=='x' and not [*machine.tmp.iterdir()]

def test_fastais_own_copy_serves_without_a_download(machine, no_wheel, good):
    for k,v in good.items():
        (machine.home/'fastai/data'/k).parent.mkdir(parents=True, exist_ok=True)
        (machine.home/'fastai/data'/k).write_bytes(v)
    served(machine)
    assert not machine.server.asked
