"What a user gets from `pip install collab_lesson`, without the dev extra: a wheel that is complete, and works on its requirements alone."
import configparser, os, re, shutil, subprocess, sys, venv, zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from common import folders, root

ini = configparser.ConfigParser(delimiters=['='])
ini.read(root/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
# nothing of this process may leak into the clean environments
plain = {k: v for k,v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV') and not k.startswith('COLLAB_LESSON')}
pytestmark = pytest.mark.skipif(os.name=='nt', reason='links site-packages, for which Windows wants an administrator')

def sh(*args, cwd, ok=True, **env):
    p = subprocess.run([*map(str, args)], cwd=cwd, env=plain | env, capture_output=True, text=True, timeout=900)
    assert not ok or p.returncode==0, f'{args}\n{p.stdout}\n{p.stderr}'
    return p

@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "Built from a copy, so that the checkout stays clean, and with the setuptools that is here, so that it needs no network"
    if Version(metadata.version('setuptools')) < Version('77'): pytest.skip('setuptools is older than pyproject.toml allows')
    src, out = tmp_path_factory.mktemp('src'), tmp_path_factory.mktemp('wheel')
    for o in root.iterdir():
        if o.is_file(): shutil.copyfile(o, src/o.name)
    shutil.copytree(root/cfg['lib_path'], src/cfg['lib_path'], ignore=shutil.ignore_patterns('__pycache__'))
    sh(sys.executable, '-m', 'pip', 'wheel', '.', '--no-deps', '--no-build-isolation', '--no-index', '--disable-pip-version-check', '-w', out, cwd=src)
    (res,) = out.iterdir()
    return res

@pytest.fixture(scope='module')
def info(wheel):
    with zipfile.ZipFile(wheel) as z: (name,) = [o for o in z.namelist() if o.endswith('.dist-info/METADATA')]
    return metadata.PathDistribution(zipfile.Path(wheel, name.removesuffix('METADATA')))

def test_wheel_has_every_module_and_asset_and_nothing_else(wheel):
    assert wheel.name==f"{cfg['lib_name']}-{cfg['version']}-py3-none-any.whl"
    lib = root/cfg['lib_path']
    want = {o.relative_to(root).as_posix() for o in [*lib.glob('*.py'), *(lib/'assets').rglob('*')] if o.is_file() and '__pycache__' not in o.parts}
    with zipfile.ZipFile(wheel) as z: got = {o for o in z.namelist() if '.dist-info/' not in o}
    assert got==want and any('/assets/' in o for o in got)

def test_metadata_is_that_of_settings_ini(info):
    m = info.metadata
    assert (m['Name'], m['Version'], m['Requires-Python'])==(cfg['lib_name'], cfg['version'], f">={cfg['min_python']}")
    assert 'Apache-2.0' in (m['License-Expression'], m['License'])
    assert m['Summary']==cfg['description'] and m.get_payload().strip(), 'no README'
    reqs = [Requirement(o) for o in info.requires]
    def listed(key): return {str(Requirement(o)) for o in cfg[key].split()}
    plainly, extras = [o for o in reqs if not o.marker], [o for o in reqs if o.marker]
    assert {*map(str, plainly)}==listed('requirements') and {str(o.marker) for o in extras}=={f'extra == "{o}"' for o in ('dev', 'files', 'fast', 'cards', 'teach')}
    for key in ('dev', 'files', 'fast', 'cards', 'teach'):
        extra = [o for o in extras if str(o.marker)==f'extra == "{key}"']
        for o in extra: o.marker = None
        assert {*map(str, extra)}==listed(f'{key}_requirements') and not {o.name for o in plainly} & {o.name for o in extra}
    assert listed('files_requirements') <= listed('dev_requirements'), 'the tests read files'
    (script,) = [o for o in info.entry_points if o.group=='console_scripts']
    assert f'{script.name}={script.value}'==cfg['console_scripts']

def needed(requirements):
    "The installed distributions that these requirements bring along, found as pip would: with markers and extras, and within the ranges"
    todo, res = [(Requirement(o), '') for o in requirements], {}
    seen = set()
    while todo:
        req, extra = todo.pop()
        if req.marker and not req.marker.evaluate({'extra': extra}): continue
        dist = metadata.distribution(req.name)
        assert req.specifier.contains(dist.version, prereleases=True), f'{req} is asked for, and {dist.version} is here'
        res[canonicalize_name(req.name)] = dist
        for e in {'', *req.extras}:
            if (canonicalize_name(req.name), e) in seen: continue
            seen.add((canonicalize_name(req.name), e))
            todo += [(Requirement(o), e) for o in dist.requires or []]
    return res

@pytest.fixture(scope='module')
def clean(wheel, info, tmp_path_factory):
    """Python of a new environment that holds the wheel and what it requires, and no more.
    To spare a download of gigabytes, the requirements are links to what is installed here; dev tools have no link."""
    home = tmp_path_factory.mktemp('clean')
    venv.create(home, with_pip=False)
    py = home/'bin/python'
    site = Path(sh(py, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=home).stdout.strip())
    for dist in needed(info.requires).values():
        for top in {o.parts[0] for o in dist.files} - {'..', '__pycache__'}:
            if top.endswith('.pth') or (site/top).exists(): continue
            (site/top).symlink_to(dist.locate_file(top))
    sh(sys.executable, '-m', 'pip', '--python', py, 'install', '--no-deps', '--no-index', '--disable-pip-version-check', wheel, cwd=home, PIP_CONFIG_FILE=os.devnull)
    return py

modules = '''
import importlib, importlib.util, json, pkgutil, sys
import collab_lesson
names = [o.name for o in pkgutil.iter_modules(collab_lesson.__path__)]
for o in names: importlib.import_module(f'collab_lesson.{o}')
ns = {}
exec('from collab_lesson.all import *', ns)
print(json.dumps(dict(file=collab_lesson.__file__, names=names, all=sorted(ns), dev=[o for o in sys.argv[1:] if importlib.util.find_spec(o)])))
'''

def test_every_module_imports_without_the_dev_extra(clean, tmp_path):
    import json
    dev = 'nbdev execnb jupyter jupyterlab notebook pytest hypothesis build nbclient nbconvert jupytext smalldocs playwright pyarrow'.split()
    got = json.loads(sh(clean, '-c', modules, *dev, cwd=tmp_path).stdout)
    assert Path(got['file']).is_relative_to(clean.parent.parent) and got['dev']==[]
    assert {f'{o}.py' for o in got['names']} == {o.name for o in (root/cfg['lib_path']).glob('*.py')} - {'__init__.py'}
    for o in 'fetch_movielens one_hot DotProduct fit DotProductWithRange DotProductBias sweep_weight_decay create_params DotProductBiasCustom Learner MSELossFlat pd np nn'.split():
        assert o in got['all']

def test_reading_a_file_without_pyarrow_says_what_to_install(clean, tmp_path):
    (tmp_path/'r.csv').write_text('user,item,rating\n1,2,3\n')
    p = sh(clean, '-c', 'from collab_lesson.ratings import read_ratings; read_ratings("r.csv")', cwd=tmp_path, ok=False)
    assert p.stderr.splitlines()[-1]=="ModuleNotFoundError: Reading files needs PyArrow: pip install 'collab_lesson[files]'"

def test_requirements_are_met(clean, tmp_path):
    "pip's own check, in the clean environment"
    assert 'No broken requirements' in sh(sys.executable, '-m', 'pip', '--python', clean, 'check', '--disable-pip-version-check', cwd=tmp_path, PIP_CONFIG_FILE=os.devnull).stdout

def test_command(clean, tmp_path):
    command = clean.with_name('collab_lesson')
    p = sh(command, '--help', cwd=tmp_path)
    assert p.stderr=='' and 'run' in p.stdout and 'data' in p.stdout
    if not folders(): pytest.skip('the rest needs MovieLens 100K on this machine')
    p = sh(command, 'run', '--models', 'DotProduct', '--epochs', 1, '--bs', 4096, cwd=tmp_path, COLLAB_LESSON_DATA=str([*folders().values()][0]))
    assert p.stderr=='' and sorted(o.name for o in (tmp_path/'runs').iterdir())==['errors.json', 'lesson.json', 'lesson.png']

@pytest.mark.slow
@pytest.mark.network
def test_a_real_install_from_scratch(wheel, tmp_path):
    "Downloads everything: ask for it with COLLAB_LESSON_TESTS='slow network'"
    venv.create(tmp_path/'env', with_pip=True)
    py = tmp_path/'env/bin/python'
    sh(py, '-m', 'pip', 'install', '-q', '--disable-pip-version-check', wheel, '-c', root/'constraints.txt', cwd=tmp_path)
    assert re.search('usage: collab_lesson', sh(py.with_name('collab_lesson'), '--help', cwd=tmp_path).stdout)
    sh(py, '-c', modules, cwd=tmp_path)
    assert 'No broken' in sh(py, '-m', 'pip', 'check', cwd=tmp_path).stdout
    assert sh(py, '-c', 'import nbdev', cwd=tmp_path, ok=False).returncode!=0
