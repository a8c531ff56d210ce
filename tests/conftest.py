"Markers: tests that need a GPU, the network or minutes run where they can and when they are asked for."
import os, shutil

os.environ.setdefault('MPLBACKEND', 'Agg')

import pytest, torch
from hypothesis import settings

settings.register_profile('book', deadline=None)  # a busy machine is no failure
settings.load_profile('book')

markers = dict(gpu='needs a CUDA GPU', network='downloads something', slow='takes a minute or more')

def pytest_configure(config):
    for name,meaning in markers.items(): config.addinivalue_line('markers', f'{name}: {meaning}')

def pytest_collection_modifyitems(config, items):
    asked = os.environ.get('COLLAB_LESSON_TESTS', '').split() + config.getoption('-m').split()
    why = {} if torch.cuda.is_available() else {'gpu': 'no CUDA GPU on this machine'}
    for name in ('network', 'slow'):
        if name not in asked: why[name] = f'{markers[name]}: ask for it with -m {name} or COLLAB_LESSON_TESTS={name}'
    for item in items:
        for name,reason in why.items():
            if item.get_closest_marker(name): item.add_marker(pytest.mark.skip(reason=reason))

@pytest.fixture(scope='session')
def browser():
    "One Chromium for every test that looks at a page: a second Playwright in the same process would not start"
    sync_api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed: pip install playwright')
    chromium = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if not chromium: pytest.skip('no chromium on this machine: apt-get install chromium, or name one in CHROMIUM')
    switches = '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
    with sync_api.sync_playwright() as p:
        b = p.chromium.launch(executable_path=chromium, args=switches.split())
        yield b
        b.close()
