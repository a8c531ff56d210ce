"The `collab_lesson` command, in a process of its own: what it prints, what it writes, and how it complains."
import json, os, re, subprocess, sys
from pathlib import Path

import numpy as np, pandas as pd, pytest
from collab_lesson import __version__
from common import movielens, python

command = Path(sys.executable).with_name('collab_lesson.exe' if os.name=='nt' else 'collab_lesson')

def collab_lesson(*args, **env):
    "Run the command as a user would"
    assert command.exists(), f'no {command}: was the package installed?'
    return subprocess.run([command, *map(str, args)], env=os.environ | env, capture_output=True, text=True, timeout=300)

# Starting Python and importing PyTorch takes seconds, so the many short calls share one process. Each may have an output of
# another kind: a pipe that nobody reads, a full disk, an encoding, none at all; or be interrupted (sigint: at that step).
many = '''
import contextlib, io, json, os, signal, sys, traceback, warnings
from unittest.mock import patch
from fastai.data.external import URLs
from collab_lesson import bias, movielens
from collab_lesson.cli import main
URLs.ML_100k = 'http://127.0.0.1:9/ml-100k.zip' # nobody listens there

class Fills(io.StringIO): # a disk that is full when the second model is to be trained
    def write(self, text):
        if 'DotProductBias, seed' in text: raise OSError(28, 'No space left on device')
        return super().write(text)

def output(kind):
    if kind=='pipe':
        r, w = os.pipe()
        os.close(r)
        return open(w, 'w')
    if kind=='full': return open('/dev/full', 'w')
    if kind=='none': return None
    if kind=='fills': return Fills()
    if kind=='closed':
        res = io.StringIO()
        res.close()
        return res
    return io.TextIOWrapper(io.BytesIO(), encoding=kind, errors='strict')

@contextlib.contextmanager
def ctrl_c(at):
    steps = [0]
    def counted(f):
        def res(*args, **kwargs):
            steps[0] += 1
            if steps[0]==at: os.kill(os.getpid(), signal.SIGINT)
            return f(*args, **kwargs)
        return res
    if at is None: yield
    else:
        with patch.object(bias.DotProductBias, 'forward', counted(bias.DotProductBias.forward)), \\
             patch.object(movielens, 'load_movies', counted(movielens.load_movies)): yield

res, old = [], dict(os.environ)
for args, env in json.load(sys.stdin):
    env, sys.argv, err, code = dict(env), ['collab_lesson', *args], io.StringIO(), 0
    kind, at = env.pop('stdout', 'utf-8'), env.pop('sigint', None)
    out = output(kind)
    os.environ.clear(); os.environ.update(old | env)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(None if env.get('stderr')=='none' else err), ctrl_c(at):
        try: main()
        except SystemExit as e: code = e.code or 0
        except BaseException: code = traceback.print_exc() or 'traceback'
    text = out.buffer.getvalue().decode(kind) if hasattr(out, 'buffer') and isinstance(out.buffer, io.BytesIO) else ''
    try: out and out.close()
    except OSError as e: text = f'at exit: {e}'
    res.append((code, text, err.getvalue()))
json.dump(res, sys.__stdout__)
'''

def runs(*calls, **env):
    "(exit code, stdout, stderr) of each call, a list of arguments or (list of arguments, environment)"
    calls = [o if isinstance(o, tuple) else (o, {}) for o in calls]
    out, err = python(many, **env).communicate(json.dumps([([*map(str, args)], env) for args,env in calls]), timeout=300)
    assert out, err
    return json.loads(out)


# what it writes

@pytest.fixture(scope='module')
def env(tmp_path_factory):
    home = tmp_path_factory.mktemp('home')
    return dict(COLLAB_LESSON_DATA=str(movielens()), FASTAI_HOME=str(home/'fastai'), XDG_CACHE_HOME=str(home/'cache'))

def losses(records): return [[o[k] for k in ('model', 'seed', 'epoch', 'train_loss', 'valid_loss')] for o in records]
def records_of(folder): return json.loads((folder/'lesson.json').read_text())

def test_run(env, tmp_path):
    "One model for one epoch, with the defaults for all the rest"
    p = collab_lesson('run', '--models', 'DotProduct', '--epochs', 1, '--out', tmp_path/'new/folder', **env)
    assert p.returncode==0 and p.stderr=='', p.stderr
    assert sorted(o.name for o in (tmp_path/'new/folder').iterdir())==['errors.json', 'lesson.json', 'lesson.png']
    (record,) = records_of(tmp_path/'new/folder')
    assert (record['model'], record['seed'], record['epoch'], record['bs'])==('DotProduct', 42, 0, 64)
    assert 1.0 < record['valid_loss'] < 1.2 and record['seconds']>0
    assert record['parameters'] % 50 == 0 and 2500 < record['parameters']//50 < 944+1665
    png = (tmp_path/'new/folder/lesson.png').read_bytes()
    assert png.startswith(b'\x89PNG') and len(png)>10_000
    table = p.stdout.splitlines()
    head = next(i for i,o in enumerate(table) if o.split()[:2]==['model', 'parameters'])
    for o in ['train loss', 'valid loss', 'best valid', 'RMSE', 'seconds', 'notes']: assert o in table[head]
    assert table[head+1].split()[0]=='DotProduct' and f"{record['valid_loss']:.4f}" in table[head+1] and '0.8743' in table[head+1]

@pytest.fixture(scope='module')
def mine(tmp_path_factory):
    "A file of one's own: text for users, no usual names, ratings from -10 to 10, a pair that repeats"
    rng, file = np.random.default_rng(0), tmp_path_factory.mktemp('mine')/'shop.csv'
    u, i = np.unravel_index(rng.permutation(60*40)[:1500], (60, 40))
    stars = np.clip(rng.normal(0, 2, 60)[u] + rng.normal(0, 5, 40)[i] + rng.normal(0, 1, 1500), -10, 10).round(1)
    df = pd.DataFrame(dict(uid=[f'u{o:02}' for o in u], sku=[f'A-{o}' for o in i], stars=stars, ts=874_724_710+np.arange(1500)))
    pd.concat([df, df[:1]]).to_csv(file, index=False)
    return file

columns = ['--user', 'uid', '--item', 'sku', '--rating', 'stars']

@pytest.fixture(scope='module')
def all_runs(env, mine, tmp_path_factory):
    "Whatever needs the data, in one process: by name, the answer, and the folder it has written"
    outs = {}
    def run(*args, **kw): return ['run', '--epochs', 2, *args], kw
    def small(*args, **kw): return ['run', '--epochs', 1, '--seeds', 2, '--models', 'DotProductWithRange,DotProductBias', '--ratings', mine, *columns, *args], kw
    bad_csv = mine.parent/'bad.csv'
    bad_csv.write_text(mine.read_text() + 'u00,A-1,what,874724710\n')
    no_need = ('cp1251', 'run'), ('closed', 'run')
    def recommend(*args, **kw): return ['recommend', '--for', 196, '-n', 1700, *args], kw
    calls = {
        'seeds': run('--bs', 1024, '--seeds', 2, '--models', 'DotProduct', 'DotProductBias', 'DotProductBias-continued'),
        'continued': run('--bs', 1024, '--models', 'DotProductBias-continued,DotProductBias'),
        'twice': run('--bs', 1024, '--models', 'DotProduct', 'DotProduct'),
        'all': run('--bs', 4096, '--epochs', 1, stdout='ascii'), 'bs': run('--bs', 1_000_000),
        'data': (['data'], {}), 'path': (['data', '--path', env['COLLAB_LESSON_DATA']], {'COLLAB_LESSON_DATA': ''}),
        # a file of one's own
        'own': run('--ratings', mine, *columns, '--models', 'all', 'ALS'),
        'own data': (['data', '--ratings', mine, *columns, '--time', 'ts'], {}), 'own path': (['data', '--path', mine, *columns], {}),
        'bad lines': (['data', '--ratings', bad_csv, *columns], {}),
        # outputs
        'recommend': recommend(),
        **{f'{k} {name}': (args, dict(stdout=k)) for k in ('pipe', 'full', 'ascii', 'cp1251', 'none', 'closed')
           for name,(args,_) in dict(help=(['--help'], 0), options=(['run', '--help'], 0), version=(['--version'], 0), data=(['data'], 0), recommend=recommend(), run=small()).items() if (k, name) not in no_need},
        'dumb': (['recommend', '-n', '0'], dict(stdout='none', stderr='none')),
        'fills run': small(stdout='fills'),
        'sigint run': small(sigint=1), 'sigint second': small('--time', 'ts', '--bs', 32, '--model', 'DotProductWithRange,DotProductBias,DotProductBias-wd', sigint=3),
        'sigint continued': small('--models', 'DotProductBias-continued,DotProductBias-wd', sigint=3),
        'sigint data': (['data'], dict(sigint=1)),
        'sigint recommend': recommend('--model', 'DotProductBias', sigint=20, XDG_CACHE_HOME=str(tmp_path_factory.mktemp('interrupted'))),
    }
    for name,(args,_) in calls.items():
        if args[0]=='run' and '--help' not in args:
            outs[name] = tmp_path_factory.mktemp('out')
            args += ['--out', outs[name]]
    return dict(zip(calls, runs(*calls.values(), **env))), outs, {k: o.get('XDG_CACHE_HOME') for k,(_,o) in calls.items()}

@pytest.fixture(scope='module')
def short_runs(all_runs):
    res, outs, _ = all_runs
    for o in ('seeds', 'continued', 'twice', 'all'): assert res[o][0]==0 and res[o][2]=='', res[o]
    return {o: (res[o][1], records_of(outs[o])) for o in ('seeds', 'continued', 'twice', 'all')}

def test_one_record_for_each_model_seed_and_epoch(short_runs):
    out, records = short_runs['seeds']
    names = ['DotProduct', 'DotProductBias', 'DotProductBias-continued']
    assert [(o['seed'], o['model'], o['epoch']) for o in records]==[(s,m,e) for s in (42,43) for m in names for e in (0,1)]
    for o in records:
        assert {'train_loss', 'valid_loss', 'seconds', 'parameters'} <= set(o) and all(o[k]>0 for k in ('train_loss', 'valid_loss', 'seconds'))
        assert o['wd']==(.1 if o['model'].endswith('continued') else .01) and o['bs']==1024 and o['device']=='cpu' and o['version']==__version__
    by = {(o['seed'], o['model'], o['epoch']): o for o in records}
    assert by[42,'DotProduct',1]['valid_loss']!=by[43,'DotProduct',1]['valid_loss']
    assert by[42,'DotProductBias-continued',0]['train_loss'] < by[42,'DotProductBias',0]['train_loss'], 'it goes on from a trained model'
    assert len(re.findall(r'\d ± \d', out))>=9, 'mean and deviation over seeds'

def test_results_do_not_depend_on_what_else_is_trained(short_runs):
    a, b, c = ({(o['seed'], o['model'], o['epoch']): o for o in short_runs[k][1]} for k in ('seeds', 'continued', 'twice'))
    assert {k[1] for k in b}=={'DotProductBias', 'DotProductBias-continued'} and len(b)==4
    for run in (b, c):
        for k,o in run.items(): assert losses([o])==losses([a[k]])

def test_a_model_named_twice_is_trained_once(short_runs):
    assert [(o['model'], o['epoch']) for o in short_runs['twice'][1]]==[('DotProduct', 0), ('DotProduct', 1)]

def test_all_models_are_the_default(short_runs):
    from collab_lesson.cli import recipes
    out, records = short_runs['all']
    assert list(dict.fromkeys(o['model'] for o in records))==list(recipes) and len(recipes)>=5
    for o in recipes.values():
        for note in o.notes: assert f'{note:.4f}' in out
    assert {'.8743', '.8864', '.9528', '.8903', '.8536'} <= set(re.findall(r'\.\d{4}', out)), 'what the original notes print'

def test_both_draws_of_ratings_have_a_column(short_runs):
    "and differ from one another; without the notes' draw there is one column of each kind"
    out, records = short_runs['all']
    assert [o['replace'] for o in records]==[True, False]*(len(records)//2)
    assert all(o['model'].endswith('-once')!=o['replace'] for o in records)
    for o in ["valid loss, notes' draw", 'valid loss, once', 'RMSE, once']: assert o in out
    last = {o['model']: o['valid_loss'] for o in records}
    for k in [o for o in last if o+'-once' in last]:
        (line,) = re.findall(rf'(?m)^ *{k} .*', out)
        assert f'{last[k]:.4f}' in line and f"{last[k+'-once']:.4f}" in line and last[k]!=last[k+'-once'], line
    assert ', once' not in short_runs['seeds'][0] and 'valid loss' in short_runs['seeds'][0]

def test_where_the_errors_lie_is_written(all_runs, short_runs):
    "The parts sum to the mean of the last losses of all seeds"
    for name in ('seeds', 'all'):
        parts = {o.pop('model'): o for o in json.loads((all_runs[1][name]/'errors.json').read_text())}
        last = pd.DataFrame(short_runs[name][1]).groupby(['model', 'seed'], sort=False).valid_loss.last().groupby('model', sort=False).mean()
        assert list(parts)==['mean', 'levels', *last.index]
        for k,o in parts.items():
            mse = o.pop('mse')
            assert abs(sum(o.values())-mse)<1e-9 and abs(mse-last.get(k, mse))<1e-4, (k, mse)
            assert (o['seeds']>0)==(name=='seeds' and k in last), (k, o)

def test_more_per_batch_than_there_is(all_runs):
    res, outs, _ = all_runs
    assert one_line(res['bs']) and re.search('(?i)bs|batch', res['bs'][2])
    assert not [*outs['bs'].iterdir()], 'an empty file was left behind'

def test_data(all_runs, env):
    (code,out,err), (code2,out2,_) = (all_runs[0][o] for o in ('data', 'path'))
    assert code==code2==0 and err==''
    for o in ['served by COLLAB_LESSON_DATA', '100,000 ratings', '943 users', '1,682 items', '1,664 titles', '93.7%', '10.1145/2827872']: assert o in out
    assert f"served by the folder {env['COLLAB_LESSON_DATA']}" in out2


# a file of one's own

def test_run_on_ratings_of_another_scale(all_runs):
    "Every recipe learns ratings from -10 to 10, which (0, 5.5) cannot hold; no column of figures for MovieLens"
    from collab_lesson.cli import recipes
    res, outs, _ = all_runs
    code, out, err = res['own']
    assert code==0 and 'notes' not in out and '1,501 ratings from -10 to 10' in out, (out, err)
    records = records_of(outs['own'])
    assert list(dict.fromkeys(o['model'] for o in records))==[*(k for k,o in recipes.items() if not o.replace), 'ALS'], "the notes' draw says nothing here"
    assert not (outs['own']/'errors.json').exists()
    assert not any(v!=v for o in records for v in o.values()) and re.search('ALS .* – ', out), 'a dash for the loss that ALS has not'
    last = {o['model']: o['valid_loss'] for o in records}
    assert last['DotProductBias-continued-once']<20, 'guessing the mean gives 28'
    assert {o['bs'] for o in records}=={64} and last['ALS']<10, last
    assert {o['bs'] for o in records_of(outs['sigint second'])}=={32}

def test_ratings_that_repeat_are_told(all_runs): assert '1 ratings repeat a pair' in all_runs[0]['own'][2]

@pytest.mark.parametrize('name', ['own data', 'own path', 'bad lines'])
def test_data_describes_the_file_that_it_is_given(all_runs, mine, name):
    code, out, err = all_runs[0][name]
    assert code==0, err
    for o in ['1,501 ratings from -10 to 10 by 60 users of 40 items', '37.5% of the matrix is empty', '1 ratings repeat a pair']: assert o in out
    assert 'MovieLens' not in out and 'Harper' not in out, 'that is another data set'
    assert '1997-09-20' in out
    assert ('1 lines cannot be read' in out)==(name=='bad lines'), out


# trouble with output

outputs = 'help options version data recommend run'.split()
short = outputs[:-1]

@pytest.mark.parametrize('name', outputs)
def test_a_reader_who_has_gone_gets_no_traceback(all_runs, name):
    code, out, err = all_runs[0][f'pipe {name}']
    assert code in (0, 141) and 'Traceback' not in err and out=='', (code, out, err)

@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full here')
@pytest.mark.parametrize('name', outputs)
def test_a_full_disk_is_no_bad_argument(all_runs, name):
    code, out, err = all_runs[0][f'full {name}']
    assert code==1 and 'No space left on device' in err and out=='', (code, out, err)
    assert len([o for o in err.splitlines() if 'repeat a pair' not in o])==1

@pytest.mark.parametrize('name,encoding', [*((o, 'ascii') for o in outputs), *((o, 'cp1251') for o in short)])
def test_an_encoding_without_the_letters_shows_the_results(all_runs, name, encoding):
    code, out, err = all_runs[0][f'{encoding} {name}']
    assert code==0 and 'codec' not in err and len(out)>4, (code, out, err)
    if name=='recommend':
        assert 'Misérables' in all_runs[0]['recommend'][1] and 'Miserables' in out and out.count('?')==all_runs[0]['recommend'][1].count('?')
        assert len(out.splitlines())==len(all_runs[0]['recommend'][1].splitlines())

def test_the_lesson_in_ascii(all_runs):
    "A dash stands where the notes have no figure; ± may follow"
    code, out, err = all_runs[0]['all']
    assert code==0 and err=='' and re.search(r'DotProductWithRange .* -\n', out), (code, out, err)
    assert re.search(r'\d \+- \d', all_runs[0]['ascii run'][1]), 'mean and deviation of two seeds'

@pytest.mark.parametrize('name,kind', [*((o, 'none') for o in outputs), *((o, 'closed') for o in short)])
def test_without_an_output_nothing_is_reported_as_a_bad_argument(all_runs, name, kind):
    "Windows' pythonw has none; a service may have closed it"
    code, out, err = all_runs[0][f'{kind} {name}']
    assert code==(0 if kind=='none' else 1) and 'Traceback' not in err, (code, err)
    assert len([o for o in err.splitlines() if 'repeat a pair' not in o])<2 or name=='options', err # argparse prints its help there then

@pytest.mark.parametrize('kind', ['pipe', 'full', 'none', 'ascii', 'fills'])
def test_a_training_that_is_done_is_written_whatever_the_output_does(all_runs, kind):
    folder, done = all_runs[1][f'{kind} run'], {'DotProductWithRange', 'DotProductBias'}
    if kind=='fills':
        done -= {'DotProductBias'}
        assert all_runs[0]['fills run'][0]==1 and 'No space left' in all_runs[0]['fills run'][2]
    assert {o['model'] for o in records_of(folder)}==done and (folder/'lesson.png').exists()

def test_no_output_and_no_errors_either(all_runs): assert all_runs[0]['dumb'][0]==2

def test_a_disk_that_is_full_when_results_are_written_costs_no_table(monkeypatch, tmp_path, capsys):
    from collab_lesson import cli
    records = [dict(model='DotProduct', seed=42, epoch=0, train_loss=1., valid_loss=1.25, seconds=1., parameters=10)]
    def full(*args, **kwargs): raise OSError(28, 'No space left on device', 'lesson.json')
    monkeypatch.setattr(Path, 'write_text', full)
    trouble = cli._write_run(records, tmp_path, cli._Source(), None)
    assert isinstance(trouble, OSError) and '1.2500' in capsys.readouterr().out and (tmp_path/'lesson.png').exists()

def test_the_real_command_under_a_closed_pipe_and_a_full_disk(env):
    "At exit, too, where Python writes what is left"
    r, w = os.pipe()
    os.close(r)
    p = subprocess.run([command, '--help'], stdout=w, stderr=subprocess.PIPE, text=True, env=os.environ | env)
    os.close(w)
    assert p.returncode in (0, 141) and p.stderr=='', p.stderr
    if not os.path.exists('/dev/full'): return
    with open('/dev/full', 'w') as f: p = subprocess.run([command, '--help'], stdout=f, stderr=subprocess.PIPE, text=True, env=os.environ | env)
    assert p.returncode==1 and len(p.stderr.splitlines())==1, p.stderr


# Ctrl-C

@pytest.mark.parametrize('name', ['run', 'second', 'continued', 'data', 'recommend'])
def test_ctrl_c_is_no_success(all_runs, name):
    code, out, err = all_runs[0][f'sigint {name}']
    assert code==130 and 'Traceback' not in err and 'For user' not in out, (code, out, err)

def test_ctrl_c_keeps_what_was_finished_and_nothing_else(all_runs):
    res, outs, caches = all_runs
    assert [o['model'] for o in records_of(outs['sigint second'])]==['DotProductWithRange'] and (outs['sigint second']/'lesson.png').exists()
    assert re.search(r'DotProductWithRange +\d', res['sigint second'][1]) and 'DotProductBias-wd' not in res['sigint second'][1], 'the loop stops'
    assert [o['model'] for o in records_of(outs['sigint run'])]==['DotProductWithRange']
    assert not [*outs['sigint continued'].iterdir()], 'a model that continues an interrupted one was kept'
    assert not [o for o in Path(caches['sigint recommend']).rglob('*') if o.is_file()], 'half a model is in the cache'


# how it helps and how it complains, which needs no data

helps = ['', '--help', '-h', 'run --help', 'data --help', 'recommend --help', '--version']
bad = {
    'run --models Nonsense': r"unknown model Nonsense; choose from all, DotProduct,", 'run --models DotProduct,Foo': 'unknown model Foo', 'run --models DotProduct Foo Bar': 'unknown model Foo, Bar',
    'run --models dotproduct': 'unknown model dotproduct', 'run --models': '--models', 'run --models ,': 'unknown model', 'run --model EASE': 'EASE predicts no ratings',
    'run --seeds 0': 'seeds=0', 'run --seeds -1': 'seeds=-1', 'run --seeds x': "--seeds.*'x'", 'run --seeds 1.5': "--seeds.*'1.5'", 'run --seeds': '--seeds',
    'run --epochs 0': 'epochs=0', 'run --epochs -5': 'epochs=-5', 'run --epochs five': "--epochs.*'five'",
    'run --bs 0': 'bs=0', 'run --bs -1': 'bs=-1', 'run --bs 64.0': "--bs.*'64.0'",
    'run --device nonsense': "device 'nonsense'", 'run --device cuda:99': "device 'cuda:99'", 'run --device meta': "device 'meta'", 'run --device': '--device',
    'run --out FILE': 'cannot write to .*file', 'run --out FILE/deeper': 'cannot write to .*deeper', 'run --out JSON': 'cannot write to .*json', 'run --out PNG': 'cannot write to .*png',
    'run --nonsense': '--nonsense', 'run --nonsense 3': '--nonsense', 'run DotProduct': 'DotProduct', 'run -x': '-x',
    'data --nonsense': '--nonsense', 'data --path': '--path', 'data here': 'here',
    'frobnicate': "no command 'frobnicate'.*run, data", '--frobnicate': 'frobnicate', 'Run': "'Run'",
    # whose ratings
    'run --user uid': '--user names a column.*--ratings', 'data --item sku': '--item names a column', 'recommend --rating stars --for 1': '--rating names a column', 'data --time ts --path FILE2': '--time|no such file',
    'run --ratings FILE2': 'file2: there is no such file or folder. Did you mean file', 'data --ratings FILE2': 'no such file', 'data --path FILE2': 'no such file', 'recommend --ratings FILE2 --for ann': 'no such file',
    'run --ratings CSV --user uidd --item sku --rating stars': r"uidd.*Did you mean uid", 'data --ratings CSV --user uid --item skuu --rating stars': "skuu.*Did you mean sku", 'recommend --ratings CSV --user uid --item sku --rating strs --for ann': 'strs.*Did you mean stars',
    'data --ratings ODD': 'which column is the user', 'data --ratings CSV --path CSV': '--path and --ratings', 'data --ratings EMPTY': 'empty',
    # for whom
    'recommend --ratings CSV --user ann --item sku --rating stars': '--for ann.*--user names the column', 'recommend --user 196 --for 196': '--user and --for name the same', 'recommend --ratings CSV --for ann --like A-1': '--for and --like exclude',
    'recommend --for 196 --model ALLS': 'unknown model ALLS; did you mean ALS', 'recommend --for 196 --model x': 'unknown model x; choose from', 'recommend --for': '--for', 'recommend --for 196 -n 0': 'n=0',
}

@pytest.fixture(scope='module')
def answers(tmp_path_factory):
    d = tmp_path_factory.mktemp('bad')
    (d/'file').write_text('x')
    (d/'empty.csv').write_text('')
    (d/'odd.csv').write_text('a,b,c\nx,y,3\n')
    (d/'shop.csv').write_text('uid,sku,stars\nann,A-1,3\nann,A-2,4\nbo,A-1,5\n')
    for o in ('json', 'png'): (d/o/f'lesson.{o}').mkdir(parents=True) # a folder where the file should go
    places = dict(FILE=d/'file', FILE2=d/'file2', JSON=d/'json', PNG=d/'png', CSV=d/'shop.csv', EMPTY=d/'empty.csv', ODD=d/'odd.csv')
    def args(o): return re.sub('FILE2|FILE|JSON|PNG|CSV|EMPTY|ODD', lambda m: str(places[m[0]]), o).split()
    calls = [*helps, *bad]
    return dict(zip(calls, runs(*map(args, calls), COLLAB_LESSON_DATA=d/'nowhere', XDG_CACHE_HOME=d/'cache', FASTAI_HOME=d/'fastai')))

def test_help(answers):
    helped = {o: answers[o] for o in helps}
    helped |= {k: (code, ' '.join(out.split()), err) for k,(code,out,err) in helped.items()}  # lines break where the terminal ends
    assert all(code==0 and err=='' for code,_,err in helped.values())
    assert helped[''][1]==helped['--help'][1]==helped['-h'][1]
    for o in ['usage', 'run', 'data']: assert o in helped['--help'][1]
    for o in ['--models', '--seeds', '--epochs', '--bs', '--device', '--out']: assert o in helped['run --help'][1]
    assert '--path' in helped['data --help'][1]
    for o in ['--ratings FILE', '--user COLUMN', '--for USER', 'Without: the same as --for']: assert o in helped['recommend --help'][1] and '--for_' not in helped['recommend --help'][1]
    assert helped['--version'][1].strip()==__version__

def one_line(answer):
    code, out, err = answer
    assert 'Traceback' not in err and code==2, answer
    assert len(err.splitlines())==1 and err.startswith('collab_lesson: ') and len(err)<500, err
    return True

@pytest.mark.parametrize('call', bad)
def test_bad_arguments(answers, call):
    assert one_line(answers[call]) and re.search(bad[call], answers[call][2]), answers[call][2]
    assert answers[call][1]=='', 'nothing was started'

def test_the_real_command_complains_in_the_same_way():
    p = collab_lesson('run', '--models', 'DotProduct', '--user', 'uid')
    assert p.returncode==2 and p.stdout=='' and re.fullmatch(r'collab_lesson: --user names [^\n]+\n', p.stderr), p.stderr

def test_help_without_docstrings():
    "python -OO drops them: the lists of commands and options must not say None"
    code = 'import sys; from collab_lesson.cli import main\nfor o in ([], ["run"], ["data"], ["recommend"]): sys.argv = ["collab_lesson", *o, "--help"]; main()'
    p = subprocess.run([sys.executable, '-OO', '-c', code], capture_output=True, text=True)
    assert p.returncode==0 and 'None' not in p.stdout and 'Train every model' in p.stdout and p.stdout.count('usage')==4, p.stderr

def test_no_data_anywhere(tmp_path):
    env = dict(COLLAB_LESSON_DATA=str(tmp_path/'nowhere'), XDG_CACHE_HOME=str(tmp_path/'cache'), FASTAI_HOME=str(tmp_path/'fastai'), HOME=str(tmp_path),
               PIP_INDEX_URL='http://127.0.0.1:9/simple', PIP_CONFIG_FILE=os.devnull, PIP_EXTRA_INDEX_URL='', PIP_FIND_LINKS='')
    for code,out,err in runs(['data'], ['run', '--out', tmp_path/'out'], **env):
        assert code==1 and 'Traceback' not in err and err.startswith('collab_lesson: MovieLens 100K is not to be had')
        for o in ['1. COLLAB_LESSON_DATA', '2. the cache', '3. GroupLens', '4. the PyPI wheel', 'By hand']: assert o in err
