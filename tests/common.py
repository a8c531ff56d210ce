"What several test files share: the MovieLens files on this machine, wherever they are, and Python in a process of its own."
import functools, os, subprocess, sys
from pathlib import Path

os.environ['OMP_NUM_THREADS'] = '1' # for the processes that tests start: models this small gain nothing from threads, and lose much where cores are busy

import pytest, torch
from fastcore.xdg import xdg_cache_home
from collab_lesson import movielens as data

torch.set_num_threads(1)            # and for this one

root = Path(__file__).resolve().parent.parent

@functools.cache
def folders():
    "{'official': folder, 'wheel': folder}, of the layouts that this machine has; nothing is downloaded"
    fastai = Path(os.environ.get('FASTAI_HOME', '~/.fastai')).expanduser()/'data'
    found = {}
    for o in [os.environ.get('COLLAB_LESSON_DATA', ''), xdg_cache_home()/'collab_lesson/ml-100k', fastai/'ml-100k']:
        try: folder = data._verify(Path(o).resolve())
        except (OSError, ValueError): continue
        found.setdefault('official' if (folder/'u.item').exists() else 'wheel', folder)
    return found

def movielens(*layouts):
    "A folder with MovieLens 100K, in one of `layouts`; skips the test where this machine has none"
    for o in layouts or ('official', 'wheel'):
        if o in folders(): return folders()[o]
    pytest.skip(f'no files of MovieLens 100K here{f" in the {layouts[0]} layout" if layouts else ""}: run `collab_lesson data`, or set COLLAB_LESSON_DATA')

def in_wheel_layout(folder, dest):
    "Write the files of `folder`, which are official, byte for byte as the PyPI wheel spells them"
    dest.mkdir(parents=True, exist_ok=True)
    (dest/'ml-100k.inter').write_bytes(b'user_id:token\titem_id:token\trating:float\ttimestamp:float\n' + (folder/'u.data').read_bytes())
    users = (folder/'u.user').read_text().replace('|', '\t')
    (dest/'ml-100k.user').write_text('user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n' + users)
    lines = ['item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq']
    for m,title,_,genres in data._read_movies(folder).itertuples(index=False, name=None):
        name,_,last = title.removesuffix(')').rpartition(' (') if title!='unknown' else ('unkonwn', '', 'unkonwn')
        lines.append(f'{m}\t{name}\t{last}\t{genres.replace("|", " ")}')
    (dest/'ml-100k.item').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return dest

def python(code, *args, **env):
    "Start Python on `code` with `args` and these environment variables, in a process of its own"
    return subprocess.Popen([sys.executable, '-P', '-c', code, *map(str, args)], env=os.environ | {k: str(v) for k,v in env.items()},
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
