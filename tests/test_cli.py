"The `collab_lesson` command, in a process of its own: what it prints, what it writes, and how it complains."
import json, os, re, subprocess, sys
from pathlib import Path

import pytest
from collab_lesson import __version__
from common import movielens, python

command = Path(sys.executable).with_name('collab_lesson.exe' if os.name=='nt' else 'collab_lesson')

def collab_lesson(*args, **env):
    "Run the command as a user would"
    assert command.exists(), f'no {command}: was the package installed?'
    return subprocess.run([command, *map(str, args)], env=os.environ | env, capture_output=True, text=True, timeout=300)

# Starting Python and importing PyTorch takes seconds, so the many short calls share one process.
many = '''
import contextlib, io, json, os, sys, traceback
from fastai.data.external import URLs
from collab_lesson.cli import main
URLs.ML_100k = 'http://127.0.0.1:9/ml-100k.zip' # nobody listens there
res, old = [], dict(os.environ)
for args, env in json.load(sys.stdin):
    sys.argv, out, err, code = ['collab_lesson', *args], io.StringIO(), io.StringIO(), 0
    os.environ.clear(); os.environ.update(old | env)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try: main()
        except SystemExit as e:
            code = e.code or 0
            if isinstance(code, str): code = print(code, file=sys.stderr) or 1
        except BaseException: code = traceback.print_exc() or 1
    res.append((code, out.getvalue(), err.getvalue()))
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

def test_run(env, tmp_path):
    "One model for one epoch, with the defaults for all the rest"
    p = collab_lesson('run', '--models', 'DotProduct', '--epochs', 1, '--out', tmp_path/'new/folder', **env)
    assert p.returncode==0 and p.stderr=='', p.stderr
    assert sorted(o.name for o in (tmp_path/'new/folder').iterdir())==['lesson.json', 'lesson.png']
    (record,) = json.loads((tmp_path/'new/folder/lesson.json').read_text())
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
def all_runs(env, tmp_path_factory):
    "Whatever needs the data, in one process: runs with large batches, for speed, and their folders"
    options = ['--bs', 1024, '--epochs', 2]
    outs = [tmp_path_factory.mktemp(f'out{i}') for i in range(5)]
    res = runs(['run', *options, '--seeds', 2, '--models', 'DotProduct', 'DotProductBias', 'DotProductBias-continued', '--out', outs[0]],
               ['run', *options, '--models', 'DotProductBias-continued,DotProductBias', '--out', outs[1]],
               ['run', *options, '--models', 'DotProduct', 'DotProduct', '--out', outs[2]],
               ['run', '--bs', 4096, '--epochs', 1, '--out', outs[3]],
               ['run', '--bs', 1_000_000, '--out', outs[4]],
               ['data'], (['data', '--path', env['COLLAB_LESSON_DATA']], {'COLLAB_LESSON_DATA': ''}), **env)
    return res, outs

@pytest.fixture(scope='module')
def short_runs(all_runs):
    for code,out,err in all_runs[0][:4]: assert code==0 and err=='', err
    return [(out, json.loads((o/'lesson.json').read_text())) for (_,out,_),o in [*zip(*all_runs)][:4]]

def test_one_record_for_each_model_seed_and_epoch(short_runs):
    out, records = short_runs[0]
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
    a, b, c = ({(o['seed'], o['model'], o['epoch']): o for o in records} for _,records in short_runs[:3])
    assert {k[1] for k in b}=={'DotProductBias', 'DotProductBias-continued'} and len(b)==4
    for run in (b, c):
        for k,o in run.items(): assert losses([o])==losses([a[k]])

def test_a_model_named_twice_is_trained_once(short_runs):
    assert [(o['model'], o['epoch']) for o in short_runs[2][1]]==[('DotProduct', 0), ('DotProduct', 1)]

def test_all_models_are_the_default(short_runs):
    from collab_lesson.cli import recipes
    out, records = short_runs[3]
    assert [o['model'] for o in records]==list(recipes) and len(recipes)>=5
    for o in recipes.values():
        for note in o.notes: assert f'{note:.4f}' in out
    assert {'.8743', '.8864', '.9528', '.8903', '.8536'} <= set(re.findall(r'\.\d{4}', out)), 'what the original notes print'

def test_more_per_batch_than_there_is(all_runs):
    res, outs = all_runs
    assert one_line(res[4]) and re.search('(?i)bs|batch', res[4][2])
    assert not [*outs[4].iterdir()], 'an empty file was left behind'

def test_data(all_runs, env):
    (code,out,err), (code2,out2,_) = all_runs[0][-2:]
    assert code==code2==0 and err==''
    for o in ['served by COLLAB_LESSON_DATA', '100,000 ratings', '943 people', '1,682 films', '1,664 titles', '93.7%', '10.1145/2827872']: assert o in out
    assert f"served by the folder {env['COLLAB_LESSON_DATA']}" in out2


# how it helps and how it complains, which needs no data

helps = ['', '--help', '-h', 'run --help', 'data --help', '--version']
bad = {
    'run --models Nonsense': r"unknown model Nonsense; choose from all, DotProduct,", 'run --models DotProduct,Foo': 'unknown model Foo', 'run --models DotProduct Foo Bar': 'unknown model Foo, Bar',
    'run --models dotproduct': 'unknown model dotproduct', 'run --models': '--models', 'run --models ,': 'unknown model',
    'run --seeds 0': 'seeds=0', 'run --seeds -1': 'seeds=-1', 'run --seeds x': "--seeds.*'x'", 'run --seeds 1.5': "--seeds.*'1.5'", 'run --seeds': '--seeds',
    'run --epochs 0': 'epochs=0', 'run --epochs -5': 'epochs=-5', 'run --epochs five': "--epochs.*'five'",
    'run --bs 0': 'bs=0', 'run --bs -1': 'bs=-1', 'run --bs 64.0': "--bs.*'64.0'",
    'run --device nonsense': "device 'nonsense'", 'run --device cuda:99': "device 'cuda:99'", 'run --device meta': "device 'meta'", 'run --device': '--device',
    'run --out FILE': 'cannot write to .*file', 'run --out FILE/deeper': 'cannot write to .*deeper', 'run --out JSON': 'cannot write to .*json', 'run --out PNG': 'cannot write to .*png',
    'run --nonsense': '--nonsense', 'run --nonsense 3': '--nonsense', 'run DotProduct': 'DotProduct', 'run -x': '-x',
    'data --nonsense': '--nonsense', 'data --path': '--path', 'data here': 'here',
    'frobnicate': "no command 'frobnicate'.*run, data", '--frobnicate': 'frobnicate', 'Run': "'Run'",
}

@pytest.fixture(scope='module')
def answers(tmp_path_factory):
    d = tmp_path_factory.mktemp('bad')
    (d/'file').write_text('x')
    for o in ('json', 'png'): (d/o/f'lesson.{o}').mkdir(parents=True) # a folder where the file should go
    places = dict(FILE=d/'file', JSON=d/'json', PNG=d/'png')
    def args(o): return re.sub('FILE|JSON|PNG', lambda m: str(places[m[0]]), o).split()
    calls = [*helps, *bad]
    return dict(zip(calls, runs(*map(args, calls), COLLAB_LESSON_DATA=d/'nowhere', XDG_CACHE_HOME=d/'cache', FASTAI_HOME=d/'fastai')))

def test_help(answers):
    helped = {o: answers[o] for o in helps}
    assert all(code==0 and err=='' for code,_,err in helped.values())
    assert helped[''][1]==helped['--help'][1]==helped['-h'][1]
    for o in ['usage', 'run', 'data']: assert o in helped['--help'][1]
    for o in ['--models', '--seeds', '--epochs', '--bs', '--device', '--out']: assert o in helped['run --help'][1]
    assert '--path' in helped['data --help'][1]
    assert helped['--version'][1].strip()==__version__

def one_line(answer):
    code, out, err = answer
    assert 'Traceback' not in err and code==2, err
    assert len(err.splitlines())==1 and err.startswith('collab_lesson: ') and len(err)<400, err
    return True

@pytest.mark.parametrize('call', bad)
def test_bad_arguments(answers, call):
    assert one_line(answers[call]) and re.search(bad[call], answers[call][2]), answers[call][2]
    assert answers[call][1]=='', 'nothing was started'

def test_the_real_command_complains_in_the_same_way():
    p = collab_lesson('run', '--seeds', 0)
    assert p.returncode==2 and p.stdout=='' and re.fullmatch(r'collab_lesson: seeds=0 [^\n]+\n', p.stderr), p.stderr

def test_no_data_anywhere(tmp_path):
    env = dict(COLLAB_LESSON_DATA=str(tmp_path/'nowhere'), XDG_CACHE_HOME=str(tmp_path/'cache'), FASTAI_HOME=str(tmp_path/'fastai'), HOME=str(tmp_path),
               PIP_INDEX_URL='http://127.0.0.1:9/simple', PIP_CONFIG_FILE=os.devnull, PIP_EXTRA_INDEX_URL='', PIP_FIND_LINKS='')
    for code,out,err in runs(['data'], ['run', '--out', tmp_path/'out'], **env):
        assert code==1 and 'Traceback' not in err and err.startswith('collab_lesson: MovieLens 100K is not to be had')
        for o in ['1. COLLAB_LESSON_DATA', '2. the cache', '3. GroupLens', '4. the PyPI wheel', 'By hand']: assert o in err
