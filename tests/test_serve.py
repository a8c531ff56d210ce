"The service in a process of its own, on a free port: what it answers, what it refuses, and how it ends."
import json, os, signal, socket, subprocess, sys, threading, time, urllib.error, urllib.request
from urllib.parse import quote

import common  # sets the number of threads
import numpy as np, pandas as pd, pytest
pytest.importorskip('fastapi'), pytest.importorskip('uvicorn')
from collab_lesson.als import ALS
from collab_lesson.collab_learner import save
from collab_lesson.interpretation import similar
from collab_lesson.ranking import EASE, Popularity, recommend
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.serving import hold_load, make_app
from collab_lesson.training import fit

pytestmark = pytest.mark.skipif(os.name=='nt', reason='signals of Unix')
run = 'import sys; sys.argv[0] = "collab_lesson"; from collab_lesson.cli import main; main()'

def saved(folder, make=lambda: ALS(4, n_epochs=3), ids=lambda o: o):
    df = synthetic_ratings(120, 60, 2500, seed=1)
    r = Ratings(df.assign(user=df.user.map(ids)), item='movie')
    model = fit(make(), r, bar=False).model
    save(model, r, folder)
    return model, r

class Service:
    def __init__(self, folder, *args):
        cmd = [sys.executable, '-P', '-c', run, 'serve', str(folder), '--port', '0', *args]
        self.p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.line = self.p.stdout.readline()
        assert 'http://' in self.line, self.p.communicate()
        self.port = int(self.line.partition('127.0.0.1:')[2].partition(';')[0])

    def __call__(self, path, body=None, raw=None, **headers):
        data = raw if body is None else json.dumps(body).encode()
        q = urllib.request.Request(f'http://127.0.0.1:{self.port}{path}', data, {'content-type': 'application/json'} | headers)
        try:
            with urllib.request.urlopen(q, timeout=60) as r: return r.status, json.loads(r.read())
        except urllib.error.HTTPError as e: return e.code, json.loads(e.read())['detail']

    def end(self, how=signal.SIGTERM):
        self.p.send_signal(how)
        return self.p.wait(60), self.p.stderr.read()

@pytest.fixture(scope='module')
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp('als')
    model, r = saved(folder)
    s = Service(folder)
    yield s, model, r, folder
    s.end(signal.SIGKILL)

def test_answers_are_the_verbs(served):
    s, model, r, _ = served
    status, got = s('/health')
    assert (status, got)==(200, dict(status='ok', model='ALS', users=r.n_users-1, items=r.n_items-1))
    user, item = r.user_names[3], r.item_names[5]
    got, want = pd.DataFrame(s(f'/recommend?user={user}&n=7')[1]['items']), recommend(model, r, user, 7)
    assert len(got)==7 and np.allclose(got.score, want.score, atol=1e-4)
    assert not set(got.item) & set(r.item_names.index[r.seen(3)-1])
    got, want = pd.DataFrame(s(f'/similar?item={item}&n=5')[1]['items']), similar(model, r, item, 5)
    assert list(got.item)==list(want.item) and np.allclose(got.score, want.score, atol=1e-5)
    rated = [dict(item=int(o), rating=5) for o in r.item_names.index[:3]]
    status, got = s('/fold-in', dict(ratings=rated, n=4))
    assert status==200 and len(got['items'])==4 and not {o['item'] for o in got['items']} & {o['item'] for o in rated}
    scores = [o['score'] for o in got['items']]
    assert scores==sorted(scores, reverse=True)

def test_openapi(served):
    s = served[0]
    status, page = s('/openapi.json')
    assert status==200 and set(page['paths'])=={'/recommend', '/similar', '/fold-in', '/health'}
    with urllib.request.urlopen(f'http://127.0.0.1:{s.port}/docs', timeout=60) as r: assert b'openapi.json' in r.read()

@pytest.mark.parametrize('path,body,why', [
    ('/recommend?user=nobody', None, 'Unknown user'), ('/recommend?user=99999', None, 'Did you mean'),
    (f'/recommend?user={"9"*60}', None, 'Unknown user'),
    ('/similar?item=99999', None, 'Did you mean'), ('/recommend', None, 'Field required'), ('/recommend?user=1&n=0', None, 'greater than'),
    ('/recommend?user=1&n=100000', None, 'less than'), ('/recommend?user=1&n=x', None, 'valid integer'),
    (f'/recommend?user={quote("é" * 50)}', None, 'Unknown user'),
    ('/fold-in', dict(ratings=[]), 'at least 1'), ('/fold-in', dict(ratings=[dict(item=1, rating=77)]), 'Ratings go from'),
    ('/fold-in', dict(ratings=[dict(item='xyz', rating=3)]), 'Unknown movie'), ('/fold-in', dict(ratings=[dict(item=1)]), 'Field required'),
    ('/fold-in', dict(ratings=[dict(item=1, rating=float('nan'))]), 'finite'), ('/fold-in', dict(ratings=[dict(item=1, rating=3)]*2), 'twice'),
    ('/fold-in', [1], 'valid dictionary'), ('/fold-in', dict(ratings=[dict(item=10**30, rating=3)]), '')])
def test_bad_input_is_422(served, path, body, why):
    status, detail = served[0](path, body)
    assert status==422 and why in (detail if isinstance(detail, str) else json.dumps(detail)), (status, detail)
    assert served[0]('/health')[0]==200

def test_not_json(served): assert served[0]('/fold-in', raw=b'{"ratings": [')[0]==422

def test_body_is_limited(served):
    s, big = served[0], json.dumps(dict(ratings=[dict(item=1, rating=5)]*5000)).encode()
    assert s('/fold-in', raw=big)[0]==413
    # in pieces, without saying how long it is
    with socket.create_connection(('127.0.0.1', s.port), 60) as c:
        c.sendall(b'POST /fold-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n')
        try:
            for o in range(0, len(big), 4096):
                piece = big[o:o+4096]
                c.sendall(b'%x\r\n%s\r\n' % (len(piece), piece))
            c.sendall(b'0\r\n\r\n')
        except OSError: pass  # it may hang up
        assert b' 413 ' in c.recv(2**16).splitlines()[0]
    assert s('/health')[0]==200

def test_listens_to_this_machine_only(served):
    s = served[0]
    table = [o.split() for o in open('/proc/net/tcp')][1:] if os.path.exists('/proc/net/tcp') else pytest.skip('no /proc')
    mine = [o[1].split(':')[0] for o in table if int(o[1].split(':')[1], 16)==s.port and o[3]=='0A']
    assert mine==['0100007F']

def test_load_for_three_seconds(served):
    s, _, r, _ = served
    got = hold_load('127.0.0.1', s.port, [f'/recommend?user={u}' for u in r.user_names.index], 3, 4)
    assert got['n_errors']==0 and got['requests']>30 and got['p50']<=got['p99'], got
    bad = hold_load('127.0.0.1', s.port, ['/recommend?user=nobody'], .3, 1)
    assert bad['n_errors']==bad['requests']>0

def command(*args):
    p = subprocess.run([sys.executable, '-P', '-c', run, *map(str, args)], capture_output=True, text=True, timeout=120)
    return p.returncode, p.stderr.strip()

def test_port_in_use(served):
    s, *_, folder = served
    code, err = command('serve', folder, '--port', s.port)
    assert code==2 and err.count('\n')==0 and f'port {s.port}: ' in err and 'in use' in err

def test_trouble_at_the_start(tmp_path):
    code, err = command('serve', tmp_path)
    assert code==1 and 'holds no settings.json' in err and 'Traceback' not in err
    code, err = command('serve', tmp_path, '--host', 'no.such.host.invalid')
    assert code==2 and 'Cannot listen' in err and err.count('\n')==0

def test_without_fastapi(tmp_path):
    hidden = run.replace('import sys;', 'import sys; sys.modules["fastapi"] = None;')
    p = subprocess.run([sys.executable, '-P', '-c', hidden, 'serve', str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert p.returncode==1 and p.stderr.strip().endswith("pip install 'collab_lesson[serve]'") and p.stderr.count('\n')==1

def test_sigterm_finishes_what_is_asked(tmp_path):
    _, r = saved(tmp_path)
    s = Service(tmp_path)
    body = json.dumps(dict(ratings=[dict(item=int(r.item_names.index[0]), rating=5)])).encode()
    head = f'POST /fold-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n'
    assert s('/health')[0]==200
    with socket.create_connection(('127.0.0.1', s.port), 60) as c:
        c.sendall(head.encode() + body[:5])
        time.sleep(1)
        s.p.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert s.p.poll() is None, 'it waits for the rest of the question'
        c.sendall(body[5:])
        answer = b''
        while piece := c.recv(2**16): answer += piece
    assert answer.startswith(b'HTTP/1.1 200') and json.loads(answer.partition(b'\r\n\r\n')[2])['items']
    assert s.p.wait(60)==0 and 'Traceback' not in s.p.stderr.read()

def test_text_ids_and_other_models(tmp_path):
    "EASE makes lists by `recommend`, and cannot fold in by vectors"
    _, r = saved(tmp_path, EASE, lambda o: f'u{o:03}')
    s = Service(tmp_path)
    try:
        assert len(s('/recommend?user=u007')[1]['items'])==10
        status, why = s('/recommend?user=u07')
        assert status==422 and 'Did you mean' in why
        assert s('/fold-in', dict(ratings=[dict(item=int(r.item_names.index[0]), rating=5)]))[0]==501
    finally: s.end(signal.SIGKILL)
