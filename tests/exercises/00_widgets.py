"Checks of the chapter on demonstrations."
from checks import *

def check_share(share):
    "`str.encode` gives the bytes of a text; not every letter takes one."
    source = 'aa' + 'é'*4 + 'bb'      # 12 bytes, 8 letters
    got = share(source, ['é'*4, 'zz'])
    yield same(got, 8/12, 'the share of the bytes', {
        'these are letters: in UTF-8 an é takes two bytes': 4/8,
        'a part that the page does not have takes no room in it': 10/12,
        'this is what the parts leave': 4/12})

def _wrong_share(size=lambda o: len(o.encode()), there=True, rest=False):
    def share(source, parts):
        s = sum(size(o) for o in parts if o in source or not there)/size(source)
        return 1-s if rest else s
    return share

wrong_share = {
    'these are letters': _wrong_share(size=len),
    'takes no room in it': _wrong_share(there=False),
    'what the parts leave': _wrong_share(rest=True),
}

def check_largest_error(largest_error):
    "Relative means: divided by the number itself. Below 2**-14 float16 has fewer digits, so leave those out."
    x = np.array([1.0003, -300.1, 2e-5, 1.5])
    rel = np.abs(x.astype(np.float16) - x)/np.abs(x)
    yield same(largest_error(x.astype(np.float16).astype(float), x), rel[[0, 1, 3]].max(), 'the largest relative error of the normal numbers', {
        'this error is absolute: large numbers decide alone': np.abs(x.astype(np.float16) - x).max(),
        'a number below 2**-14 takes part, where float16 has fewer digits': rel.max(),
        'this is the mean; asked for is the largest': rel[[0, 1, 3]].mean()})

wrong_largest_error = {
    'this error is absolute': lambda back, x: np.abs(back - x).max(),
    'has fewer digits': lambda back, x: (np.abs(back - x)/np.abs(x)).max(),
    'this is the mean': lambda back, x: (np.abs(back - x)/np.abs(x))[np.abs(x) > 2**-14].mean(),
}
