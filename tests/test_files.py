"Files of ratings as people have them: layouts, packings, oddities and damage. Each test writes its own file; three real sets are read where they are."
import bz2, gzip, io, json, lzma, os, sys, warnings, zipfile

import numpy as np, pandas as pd, pytest
from hypothesis import given, settings, strategies as st
from collab_lesson import ratings as module
from collab_lesson.movielens import movielens as movielens_100k
from collab_lesson.ratings import *
from common import movielens, root

pa = pytest.importorskip('pyarrow', reason="PyArrow is not installed: pip install 'collab_lesson[files]'")
import pyarrow.parquet

@pytest.fixture(autouse=True)
def no_other_warning():
    "A warning that a test does not expect is a failure"
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        yield

def same(got, df, **columns):
    "Is this what `Ratings` makes of the table?"
    want = Ratings(df, **columns)
    for o in ('users', 'items', 'values', 'times'):
        a, b = getattr(got, o), getattr(want, o)
        assert (a is None)==(b is None), o
        if a is not None:
            assert a.dtype==b.dtype, o
            np.testing.assert_array_equal(a, b, o)
    for o in ('user_names', 'item_names'):
        a, b = getattr(got, o), getattr(want, o)
        assert a==b and a.column==b.column and a.index.dtype==b.index.dtype, o
    assert got.columns==want.columns and got.skipped==0
    return got

def write(path, text, encoding='utf-8'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path

table = pd.DataFrame(dict(userId=[3,1,2,1,12], movieId=[50,7,7,1193,50], rating=[4,3.5,.5,5,1], timestamp=[978300760,978302109,978301968,978300275,978824291]))
named = dict(user='userId', item='movieId', time='timestamp')
csv = table.to_csv(index=False)
sha = [f'{i:040x}' for i in range(3)]


# layouts that are known without a word

def test_movielens_latest(tmp_path):
    got = same(read_ratings(write(tmp_path/'x.csv', csv)), table, **named)
    assert got.item_titles is None

def test_movielens_1m_in_its_folder(tmp_path):
    write(tmp_path/'ml-1m/ratings.dat', '1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n')
    write(tmp_path/'ml-1m/movies.dat', '661::Fée, La (1996)::Animation\n1193::One Flew (1975)::Drama\n', 'latin-1')
    write(tmp_path/'ml-1m/users.dat', '1::F::1::10::48067\n')
    write(tmp_path/'ml-1m/README', 'words\n')
    df = pd.DataFrame(dict(user=[1,1,2], movie=[1193,661,1193], rating=[5,3,4], timestamp=[978300760,978302109,978298413]))
    for path in (tmp_path, tmp_path/'ml-1m', tmp_path/'ml-1m/ratings.dat'):
        got = same(read_ratings(path), df, item='movie', time='timestamp')
        assert got.item_titles.to_dict()=={661: 'Fée, La (1996)', 1193: 'One Flew (1975)'}
        assert got.item_titles.index.name=='movie' and got.item_titles.name=='title'

def test_movielens_10m(tmp_path):
    got = read_ratings(write(tmp_path/'ratings.dat', '1::122::5::838985046\n1::185::4.5::838983525\n'))
    assert got.values.tolist()==[5,4.5] and got.times.tolist()==[838985046,838983525]

def test_movielens_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path/'ml-latest-small.zip', 'w') as z:
        z.writestr('ml-latest-small/README.txt', 'words')
        z.writestr('ml-latest-small/tags.csv', 'userId,movieId,tag,timestamp\n')
        z.writestr('ml-latest-small/movies.csv', 'movieId,title,genres\n50,"Usual Suspects, The (1995)",Crime\n7,NA,Comedy\n')
        z.writestr('ml-latest-small/ratings.csv', csv)
    got = same(read_ratings(tmp_path/'ml-latest-small.zip'), table, **named)
    assert got.item_titles.to_dict()=={50: 'Usual Suspects, The (1995)', 7: 'NA'}

def test_movielens_100k_is_what_movielens_gives():
    folder = movielens('official')
    got, want = read_ratings(folder), movielens_100k(path=folder)
    same(got, want.to_frame(), item='movie', time='timestamp')
    pd.testing.assert_series_equal(got.item_titles, want.item_titles)

def test_recbole_names(tmp_path):
    got = read_ratings(write(tmp_path/'ml.inter', 'user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n'))
    assert got.columns['user']=='user_id:token' and got.times.tolist()==[881250949] and list(got.user_names)[1:]==[196]

def test_jester_and_filmtrust(tmp_path):
    df = pd.DataFrame(dict(user=['u7452','u10','u9'], joke=['j1','j10','j2'], rating=[-1.6,9.88,-10]))
    same(read_ratings(write(tmp_path/'jester.csv', df.to_csv(index=False))), df, item='joke')
    df = pd.DataFrame(dict(user=[1,1,2,1], item=[215,250,215,215], rating=[3,2,.5,3.5]))
    same(read_ratings(write(tmp_path/'filmtrust.txt', '1 215 3\r\n1  250 2 \r\n2 215 0.5\r\n1 215 3.5')), df)

bx = '''"User-ID";"ISBN";"Book-Rating"\r
"276725";"034545104X";"0"\r
"276726";"0155061224";"5"\r
"276747";"\\"0432534220\\"";"9"\r
"276747";"N\\A";"10"\r
"276762";"Süß 1";"0"\r
"276798";"0330482750""";"8"\r
'''

def test_book_crossing(tmp_path):
    "Semicolons, latin-1, escaped quotes; a rating of 0, which means that nothing was said, stays a row"
    isbn = ['034545104X', '0155061224', '"0432534220"', 'N\\A', 'Süß 1', '0330482750"']
    df = pd.DataFrame({'User-ID': [276725,276726,276747,276747,276762,276798], 'ISBN': isbn, 'Book-Rating': [0,5,9,10,0,8]})
    columns = dict(user='User-ID', item='ISBN', rating='Book-Rating')
    same(read_ratings(write(tmp_path/'BX-Book-Ratings.csv', bx, 'latin-1')), df, **columns)
    same(read_ratings(write(tmp_path/'utf8.csv', bx), encoding='utf-8'), df, **columns)

def test_broken_quotes_are_mended_and_said(tmp_path):
    path = write(tmp_path/'BX-Book-Ratings.csv', bx + '"7";"042511774X"";"0"\r\n"8";"<"X";"4"\r\n9;"abc;5\r\n10;"abd;6\r\n', 'latin-1')
    with pytest.warns(UserWarning, match=r"4 lines with broken quotes were split at ';', the first being .*BX-Book-Ratings.csv, line 8"): got = read_ratings(path)
    assert got.to_frame().iloc[-4:].values.tolist()==[[7,'042511774X"',0], [8,'<"X',4], [9,'abc',5], [10,'abd',6]]

def test_lastfm_hetrec(tmp_path):
    df = pd.DataFrame(dict(userID=[2,2,3], artistID=[51,52,51], weight=[13883,11690,1]))
    same(read_ratings(write(tmp_path/'user_artists.dat', df.to_csv(index=False, sep='\t', lineterminator='\r\n'))), df, user='userID', item='artistID', rating='weight')

def test_lastfm_360k(tmp_path):
    "No header, artist ids that are empty, names with quotes; as most, we count plays by the artist's name"
    lines = [f'{sha[0]}\t3bd73256-3905-4f3a-97e2-8b341527f805\tbetty blowtorch\t2137', f'{sha[0]}\t\t"weird al" yankovic\t7', f'{sha[1]}\t\tNULL\t1', f'{sha[2]}\t\tбетти, "x\t12']
    df = pd.DataFrame(dict(user=[sha[0],sha[0],sha[1],sha[2]], artist=['betty blowtorch','"weird al" yankovic','NULL','бетти, "x'], plays=[2137,7,1,12]))
    same(read_ratings(write(tmp_path/'usersha1-artmbid-artname-plays.tsv', '\n'.join(lines))), df, item='artist', rating='plays')

def test_columns_by_their_usual_names(tmp_path):
    for header in ['customer_id,sku,stars,date', 'Customer ID,SKU,Stars,Date', 'reviewerID,asin,overall,unixReviewTime', 'uid,product,score,ts']:
        got = read_ratings(write(tmp_path/'x.csv', header+'\n7,B1,3,1300000000\n'))
        assert list(got.columns.values())==header.split(',') and got.times.tolist()==[1300000000]

def test_columns_that_are_named(tmp_path):
    path = write(tmp_path/'x.csv', 'who,what,stars,rating,when\n1,a,2,0,5\n3,b,4,0,6\n')
    df = pd.read_csv(path)
    same(read_ratings(path, user='who', item='what', rating='stars', time='when'), df, user='who', item='what', rating='stars', time='when')
    same(read_ratings(path, 'who', 'what'), df, user='who', item='what')
    same(read_ratings(path, 'who', 'what', False), df, user='who', item='what', rating=None)
    path = write(tmp_path/'no_header.csv', '5,ann,Fargo,x,y\n4,bo,Alien,x,y\n')
    got = read_ratings(path, user=1, item=2, rating=0)
    assert got.to_frame().values.tolist()==[['ann','Fargo',5], ['bo','Alien',4]]

def test_time_can_be_left_out(tmp_path):
    same(read_ratings(write(tmp_path/'x.csv', csv), time=False), table, user='userId', item='movieId')

@pytest.mark.parametrize('text,kw,says', [
    ('who,what,stars\n1,2,3\n', {}, r"which column is the user, which the item\? There are who, what, stars. Name them: user='…', item='…'"),
    ('user,item,x\n1,2,3\n', {}, r"which column is the rating\?.*rating=False: every row counts 1"),
    ('user,item,stars\n1,2,3\n', dict(rating='star'), "rating='star' is no column; there are user, item, stars. Did you mean stars?"),
    ('user,item,stars\n1,2,3\n', dict(time='when'), "time='when' is no column"),
    ('user,item,rating,user\n1,2,3,4\n', {}, 'columns that occur twice: user'),
    ('user,item,rating\n1,2,3\n', dict(user='item'), 'which column is the item'),
    ('user,item,rating\n1,2,3\n', dict(user='item', item='item'), 'asked for twice'),
    ('1,a,b,c,d\n', {}, 'no header, and 5 columns in an order that is not known.*user=0, item=1, rating=2'),
    ('0,196,242,3\n1,186,302,3\n', {}, 'no header, and 4 columns in an order that is not known'), # pandas wrote its index
    ('1,2,3\n', dict(user='who'), "user='who' is no column; there are 0, 1, 2. It has no header"),
    ('user,item,rating\n1,2,3\n', dict(sep=';'), "';' does not part its lines into columns"),
    ('nonsense\nmore\n', {}, "no separator parts its lines into columns; the first line is 'nonsense'.*sep="),
    ('', {}, 'there is no rating in it'), (' \n\n', {}, 'there is no rating in it'), ('user,item,rating\n', {}, 'there is no rating in it'),
    ('user,item,rating\n1,2,3\n', dict(header='yes'), "header='yes'"), ('1,2,3\n', dict(bad_lines='skip'), "bad_lines='skip'"),
    ('1,2,3\n', dict(repeats='drop'), "repeats='drop'"), ('1,2,3\n', dict(user=False), 'user=False'), ('1,2,3\n', dict(sep=7), 'sep=7'),
    ('1,2,3\n', dict(encoding='klingon'), "encoding='klingon'")])
def test_what_cannot_be_understood_says_how_to_say_it(tmp_path, text, kw, says):
    path = write(tmp_path/'x.csv', text)
    with pytest.raises(ValueError, match=says) as e: read_ratings(path, **kw)
    assert '\n' not in str(e.value) and (str(path) in str(e.value) or [o for o in kw if f'{o}=' in says])

def test_repeats(tmp_path):
    path = write(tmp_path/'x.csv', 'user,item,rating\n1,2,3\n1,2,4\n2,2,1\n')
    for o in ('keep', 'sum', 'mean', 'last'): same(read_ratings(path, repeats=o), pd.read_csv(path), repeats=o)
    with pytest.raises(ValueError, match='repeat a pair'): read_ratings(path, repeats='error')


# packings and parts

packers = dict(gz=gzip.compress, bz2=bz2.compress, xz=lzma.compress)

def zst(b):
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, 'zstd') as f: f.write(b)
    return out.getvalue().to_pybytes()

def zipped(b, name='r.csv'):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr(name, b)
    return out.getvalue()

packers |= dict(zst=zst, zip=zipped)

@pytest.mark.parametrize('packing', packers)
@pytest.mark.parametrize('right_name', [True, False])
def test_packings(tmp_path, packing, right_name):
    path = write(tmp_path/(f'r.csv.{packing}' if right_name else 'r.csv'), packers[packing](csv.encode()))
    same(read_ratings(path), table, **named)
    if packing!='zip': same(read_ratings(write(path, gzip.compress(path.read_bytes()))), table, **named) # packed twice

@pytest.mark.parametrize('packing', packers)
def test_a_packed_file_that_was_cut_short(tmp_path, packing):
    rng = np.random.default_rng(0)
    big = pd.DataFrame(dict(user=rng.integers(0, 10**9, 10**4), item=rng.integers(0, 10**9, 10**4), rating=1)).to_csv(index=False)
    packed = packers[packing](big.encode())
    for n in (len(packed)//2, len(packed)-1):
        path = write(tmp_path/f'r.csv.{packing}', packed[:n])
        with pytest.raises(ValueError, match=r'r\.csv.*cut short or damaged') as e: read_ratings(path)
        assert '\n' not in str(e.value)

def test_json_lines(tmp_path):
    df = pd.DataFrame(dict(reviewerID=['A1','A2','A1'], asin=['0001','B2','B2'], overall=[5.,3,1], unixReviewTime=[1252800000,1363392000,1300000000]))
    columns = dict(user='reviewerID', item='asin', rating='overall', time='unixReviewTime')
    text = df.assign(reviewText='a "b"\nc', helpful=[[[0,1]]]*3).to_json(orient='records', lines=True)
    for name in ('x.json', 'x.jsonl', 'x.ndjson', 'x'): same(read_ratings(write(tmp_path/name, text)), df, **columns)
    same(read_ratings(write(tmp_path/'x.json.gz', gzip.compress(text.encode()))), df, **columns)
    same(read_ratings(write(tmp_path/'odd.json', '\n' + text.replace('\n', '\r\n\r\n'))), df, **columns)

def test_json_ids_are_what_they_say(tmp_path):
    got = read_ratings(write(tmp_path/'a.json', '{"user":"7","item":7,"rating":3}\n{"user":"8","item":18446744073709551615,"rating":"4.5"}\n'))
    assert (list(got.user_names)[1:], list(got.item_names)[1:], got.values.tolist())==(['7','8'], [7,2**64-1], [3,4.5])
    with pytest.raises(ValueError, match="user: 1 of 2 ids are numbers and 1 are text.*Is 7 the same as '7'"):
        read_ratings(write(tmp_path/'b.json', '{"user":"7","item":7,"rating":3}\n{"user":7,"item":8,"rating":4}\n'))

def test_json_lines_that_cannot_be_read(tmp_path):
    good = '{"user":1,"item":2,"rating":3}\n'
    bad = '{"user":1,"item":2\n{"user":null,"item":2,"rating":3}\n{"user":1,"rating":3}\n{"user":1,"item":2,"rating":"x"}\n[1]\n'
    path = write(tmp_path/'x.json', good+bad+good)
    with pytest.raises(ValueError, match=r"5 of 7 lines cannot be read.*line 2: no JSON object: .*line 3: no user.*line 4: no item"): read_ratings(path)
    with pytest.warns(UserWarning, match='5 of 7 lines are left out'): got = read_ratings(path, bad_lines='count')
    assert (len(got), got.skipped)==(2, 5)
    with pytest.raises(ValueError, match='x.json: not UTF-8 after line 1; name its encoding='): read_ratings(write(path, '{"user":"é","item":2,"rating":3}', 'latin-1'))
    assert list(read_ratings(path, encoding='latin-1').user_names)[1:]==['é']
    with pytest.raises(ValueError, match='x.json: one JSON array; lines of objects are needed'): read_ratings(write(path, table.to_json(orient='records')))

@pytest.mark.parametrize('kind', ['int', 'text', 'category', 'uint64', 'string'])
def test_parquet(tmp_path, kind):
    df = table.assign(timestamp=pd.to_datetime(table.timestamp, unit='s'))
    if kind!='int':
        cast = lambda s: s.astype(str).astype('category') if kind=='category' else s+np.uint64(2**63) if kind=='uint64' else s.astype('string' if kind=='string' else str)
        df = df.assign(userId=cast(df.userId.astype('uint64')), movieId=cast(df.movieId.astype('uint64')))
    if kind=='category': df = df[:4] # a category without rows is no id
    df.to_parquet(tmp_path/'r.parquet', row_group_size=2)
    same(read_ratings(tmp_path/'r.parquet'), df, **named)
    same(read_ratings(write(tmp_path/'r.zip', zipped((tmp_path/'r.parquet').read_bytes(), 'r.parquet'))), df, **named)
    same(read_ratings(write(tmp_path/'r.parquet.gz', gzip.compress((tmp_path/'r.parquet').read_bytes()))), df, **named)

def test_parquet_as_other_tools_write_it(tmp_path):
    "Bytes, decimals, large strings, a point in a name"
    ids = pa.array(['a','b','a'])
    for column in (ids.cast('binary'), ids.cast('large_string'), ids.dictionary_encode()):
        t = pa.table({'user': column, 'it.id': pa.array([7,8,7]).cast(pa.decimal128(20, 0)), 'rating': pa.array([1,2,5]).cast(pa.decimal128(20, 1)), 'time': pa.array([0,1,2], pa.date32())})
        pa.parquet.write_table(t, tmp_path/'x.parquet')
        same(read_ratings(tmp_path/'x.parquet', item='it.id'), pd.DataFrame({'user': ['a','b','a'], 'it.id': [7,8,7], 'rating': [1,2,5], 'time': [0,86400,2*86400]}), item='it.id', time='time')

def test_parts(tmp_path):
    "A folder as Spark leaves it"
    for i in range(3): table[2*i:2*i+2].to_parquet(write(tmp_path/f'p/part-0000{i}-ab.snappy.parquet', ''))
    for o in ('_SUCCESS', '._SUCCESS.crc', '.part-00000-ab.snappy.parquet.crc', '_metadata', '_temporary/part-9.parquet', '.ipynb_checkpoints/x.csv'): write(tmp_path/'p'/o, 'x')
    same(read_ratings(tmp_path/'p'), table, **named)
    for i in range(3): write(tmp_path/f'c/part-0000{i}.csv.gz', gzip.compress(table[2*i:2*i+2].to_csv(index=False).encode()))
    write(tmp_path/'c/part-00003.csv.gz', gzip.compress(b'')) # a part without rows
    same(read_ratings(tmp_path/'c'), table, **named)
    for i in range(3): write(tmp_path/f'd/part-{i}', table[2*i:2*i+2].to_csv(index=False, header=i==0)) # as `split` cuts a file
    same(read_ratings(tmp_path/'d'), table, **named)
    with zipfile.ZipFile(tmp_path/'c.zip', 'w') as z:
        for i in range(3): z.writestr(f'c/part-{i}.csv', table[2*i:2*i+2].to_csv(index=False))
    same(read_ratings(tmp_path/'c.zip'), table, **named)

@pytest.mark.parametrize('kind', ['csv', 'parquet', 'json'])
def test_parts_in_folders_named_by_a_column(tmp_path, kind):
    df = table.assign(movieId=['a','b','b','a','a']).sort_values('rating', kind='stable')[['userId','timestamp','rating','movieId']]
    for (r,m),part in df.groupby(['rating','movieId']):
        path = write(tmp_path/f'rating={r:g}'/f'movieId={m}'/f'p.{kind}', '')
        part = part[['userId','timestamp']]
        if kind=='csv': part.to_csv(path, index=False)
        elif kind=='json': part.to_json(path, orient='records', lines=True)
        else: part.to_parquet(path)
    got, key = read_ratings(tmp_path).to_frame(), lambda d: sorted(d[['userId','movieId','rating','timestamp']].values.tolist())
    assert key(got)==key(df)

def test_a_part_is_not_searched_for_the_header_that_the_first_has_not(tmp_path):
    write(tmp_path/'a.csv', '5,6,1\n'), write(tmp_path/'b.csv', '0,1,2\n7,8,3\n')
    assert read_ratings(tmp_path).values.tolist()==[1,2,3]

def test_parts_that_do_not_belong_together(tmp_path):
    write(tmp_path/'a.csv', csv), write(tmp_path/'b.csv', csv.replace('userId', 'wer'))
    with pytest.raises(ValueError, match="b.csv, line 1"): read_ratings(tmp_path)
    table.to_parquet(write(tmp_path/'q/a.parquet', '')), table.rename(columns=dict(userId='wer')).to_parquet(tmp_path/'q/b.parquet')
    with pytest.raises(ValueError, match="b.parquet: user='userId' is no column; there are wer"): read_ratings(tmp_path/'q')
    table.assign(userId=table.userId.astype(str)).to_parquet(tmp_path/'q/b.parquet')
    with pytest.raises(ValueError, match="userId: some ids are numbers and some are text. Is 7 the same as '7'"): read_ratings(tmp_path/'q')
    write(tmp_path/'b.json', '{}')
    with pytest.raises(ValueError, match='files of several kinds, such as a.csv, b.json'): read_ratings(tmp_path)

def test_parts_of_csv_keep_one_type(tmp_path):
    "The second part has an id that is text: then all are, in the first part, too"
    write(tmp_path/'a.csv', 'user,item,rating\n10,1,1\n9,2,2\n'), write(tmp_path/'b.csv', 'user,item,rating\n9,1,3\nx9,3,3\n')
    df = pd.DataFrame(dict(user=['10','9','9','x9'], item=[1,2,1,3], rating=[1,2,3,3]))
    same(read_ratings(tmp_path), df)


# ids, numbers and times

@pytest.mark.parametrize('ids', [['7','007','8'], ['7','-0','8'], ['7','+8','9'], ['7','8.0','9'], ['7',' 8','9'], ['1e5','7','8'], [str(2**64),'7','8'], [str(2**63),'-7','8'], ['٣','7','8']])
def test_ids_that_stay_text(tmp_path, ids):
    got = read_ratings(write(tmp_path/'x.csv', 'user,item,rating\n' + ''.join(f'{o},1,1\n' for o in ids)))
    assert got.to_frame().user.tolist()==ids and list(got.user_names)[1:]==sorted(ids)

@pytest.mark.parametrize('ids', [[10,9,-3], [2**63+5,7,2**40], [2**62,-2**63,0], [1]*3])
def test_ids_that_are_numbers(tmp_path, ids):
    df = pd.DataFrame(dict(user=ids, item=1, rating=1))
    same(read_ratings(write(tmp_path/'x.csv', df.to_csv(index=False))), df)
    same(read_ratings(write(tmp_path/'y.csv', df.assign(user=[f'"{o}"' for o in ids]).to_csv(index=False, quoting=3))), df)

def test_ids_that_gaps_made_floats(tmp_path):
    path = write(tmp_path/'x.csv', 'user,item,rating\n7.0,1,1\n12.0,1,1\n')
    same(read_ratings(path), pd.read_csv(path))

@pytest.mark.parametrize('gap', ['NaN', 'NULL', r'\N', 'NA'])
def test_a_gap_among_numbers_does_not_make_them_text(tmp_path, gap):
    path = write(tmp_path/'x.csv', f'user,item,rating\n7,1,1\n{gap},1,1\n')
    with pytest.raises(ValueError, match='user: all ids are whole numbers, but for'): read_ratings(path)

def test_text_that_looks_like_nothing_is_a_name(tmp_path):
    "An artist may be called NaN, as long as others have names"
    path = write(tmp_path/'x.csv', 'user,item,rating\n7,NaN,1\n8,Null,1\n8,Ann,1\n')
    assert list(read_ratings(path).item_names)[1:]==['Ann', 'NaN', 'Null']

def test_many_ids_over_many_blocks(tmp_path, monkeypatch):
    "Small blocks: numbers that turn to text late, quotes and line breaks at every cut"
    rng = np.random.default_rng(0)
    df = pd.DataFrame(dict(user=rng.integers(-50, 400, 3000), item=rng.integers(0, 99, 3000), rating=rng.integers(1, 11, 3000)/2))
    init = module._Lines.__init__
    def small(self, f, name, encoding=None, size=700): init(self, f, name, encoding, size)
    monkeypatch.setattr(module._Lines, '__init__', small)
    same(read_ratings(write(tmp_path/'a.csv', df.to_csv(index=False))), df)
    text = df.assign(user=df.user.astype(str), item=df.item.astype(str)+',\n"x"')
    text.loc[2900, 'user'] = 'late'
    same(read_ratings(write(tmp_path/'b.csv', text.to_csv(index=False))), text)

@given(st.lists(st.tuples(st.text(st.characters(codec='utf-8', exclude_characters='\r\0', exclude_categories=['Cs']), min_size=1).filter(lambda o: o.strip()), st.integers(-2**63, 2**63-1), st.floats(-2.**99, 2.**99, width=32)), min_size=1), st.sampled_from(',;'))
@settings(max_examples=60)
def test_whatever_pandas_writes(tmp_path_factory, rows, sep):
    df = pd.DataFrame(rows, columns=['user', 'item', 'rating'])
    df['user'] = 'u'+df.user
    same(read_ratings(write(tmp_path_factory.mktemp('x')/'x.csv', df.to_csv(index=False, sep=sep))), df)

def test_a_backslash_at_the_end_of_a_field_is_no_escape(tmp_path):
    "Found by the test above: a line break in quotes after it was taken for broken quotes"
    df = pd.DataFrame(dict(user=['u;\\', 'u0\n'], item=0, rating=0.))
    same(read_ratings(write(tmp_path/'x.csv', df.to_csv(index=False, sep=';'))), df)

def test_dates(tmp_path):
    for text,want in [('2020-01-02', 1577923200), ('2020-01-02 00:00:01', 1577923201), ('2020-01-02T01:00:00+01:00', 1577923200), ('2020-01-02T00:00:00.5Z', 1577923200), ('1577923200.9', 1577923200)]:
        assert read_ratings(write(tmp_path/'x.csv', f'user,item,rating,date\n1,2,3,{text}\n1,3,3,{text}\n')).times.tolist()==[want]*2, text
    with pytest.raises(ValueError, match="line 2: the time is neither a number nor an ISO date \\(time=False.*: '1,2,3,last week'"):
        read_ratings(write(tmp_path/'x.csv', 'user,item,rating,date\n1,2,3,last week\n'))

@pytest.mark.parametrize('unit,name', [(10**3,'milli'), (10**6,'micro'), (10**9,'nano')])
def test_milliseconds_are_made_seconds_and_said(tmp_path, unit, name):
    path = write(tmp_path/'x.csv', table.assign(timestamp=table.timestamp*unit+unit//2).to_csv(index=False))
    with pytest.warns(UserWarning, match=f'timestamp: {name}seconds are made seconds'): same(read_ratings(path), table, **named)
    mixed = table.timestamp*np.array([1,unit,unit,unit,unit])
    with pytest.raises(ValueError, match=f'timestamp: 1 of 5 times are not in {name}seconds, as others are.*time=False'): read_ratings(write(path, table.assign(timestamp=mixed).to_csv(index=False)))

def test_tables_without_a_header_that_are_nearly_known(tmp_path):
    assert read_ratings(write(tmp_path/'a.txt', '1\t2\t3\t\n4\t5\t6\t\n')).values.tolist()==[3,6]
    assert read_ratings(write(tmp_path/'b.txt', '1,2\n4,5\n'), rating=False).values.tolist()==[1,1]
    assert read_ratings(write(tmp_path/'c.txt', '"user"\t"item"\t"rating"\n"a"\t"b\tc"\t"3"\n')).to_frame().values.tolist()==[['a','b\tc',3]]

def test_decimal_commas(tmp_path):
    got = read_ratings(write(tmp_path/'x.csv', 'user;item;rating\n1;2;3,5\n1;3;4\n'))
    assert got.values.tolist()==[3.5, 4]

def test_rating_false_counts_rows(tmp_path):
    path = write(tmp_path/'x.csv', 'user,item\n1,2\n1,2\n2,3\n')
    same(read_ratings(path, rating=False), pd.read_csv(path), rating=None)
    assert read_ratings(path, rating=False, repeats='sum').values.tolist()==[2,1]


# text as it comes

@pytest.mark.parametrize('text', [csv.replace('\n', '\r\n'), csv.replace('\n', '\r'), '\ufeff'+csv, csv.rstrip('\n'), '\n\n'+csv+'\n \n', csv.replace('\n', '\n\n'), csv.replace(',', ', '), csv.replace(',', '|'),
                                  csv.replace(',', '\t'), '\n'.join(','.join(f'"{o}"' for o in l.split(',')) for l in csv.splitlines())], ids='crlf cr bom open blank double space pipe tab quoted'.split())
def test_ways_to_write_a_table(tmp_path, text):
    same(read_ratings(write(tmp_path/'x.csv', text)), table, **named)

@pytest.mark.parametrize('encoding', ['utf-16', 'latin-1', 'cp1252', 'utf-8-sig'])
def test_encodings(tmp_path, encoding):
    df = pd.DataFrame(dict(user=['Zoë','Ann'], item=['é','e'], rating=[1,2]))
    path = write(tmp_path/'x.csv', df.to_csv(index=False), encoding)
    same(read_ratings(path, encoding=None if encoding.startswith('utf') else encoding), df)
    if not encoding.startswith('utf'):
        with pytest.raises(ValueError, match=r"x.csv, line 2: not UTF-8: .*encoding='latin-1'"): read_ratings(path)

def test_bytes_that_no_column_needs(tmp_path):
    "A title in another encoding does not keep anybody from the ratings"
    assert len(read_ratings(write(tmp_path/'x.csv', 'user,item,rating,title\n1,2,3,Süß\n', 'latin-1')))==1

def test_another_encoding_than_said(tmp_path):
    with pytest.raises(ValueError, match='x.csv: not in cp1252: .* after line 1'): read_ratings(write(tmp_path/'x.csv', b'1,\x81,3\n'), encoding='cp1252')

def test_line_breaks_in_quotes(tmp_path):
    df = pd.DataFrame(dict(user=['a','b,"c"','d'], rating=[1,2,3], item=['x\ny','z','x'], review=['one\n\n"two", three\n', 'four', '"']))
    same(read_ratings(write(tmp_path/'x.csv', df.to_csv(index=False))), df)
    bad = df.to_csv(index=False) + 'e,1\n'
    with pytest.raises(ValueError, match="line 9: 2 fields instead of 4: 'e,1'"): read_ratings(write(tmp_path/'x.csv', bad))

bad_text = 'user,item,rating\n1,2,3\n1,2\n\n3,4,x\n,5,1\n3, ,1\n3,5,nan\n3,5,1e99\n1,2,3,4\n5,6,2\n'

def test_lines_that_cannot_be_read(tmp_path):
    path = write(tmp_path/'x.csv', bad_text)
    with pytest.raises(ValueError) as e: read_ratings(path)
    assert str(e.value)==(f"7 of 9 lines cannot be read (bad_lines='count' leaves them out). {path}, line 3: 2 fields instead of 3: '1,2'; "
        f"{path}, line 5: the rating is no number: '3,4,x'; {path}, line 6: no user: ',5,1'.")
    with pytest.warns(UserWarning, match='7 of 9 lines are left out'): got = read_ratings(path, bad_lines='count')
    assert got.skipped==got[:1].skipped==7 and got.to_frame().values.tolist()==[[1,2,3],[5,6,2]]

def test_a_number_too_large_for_32_bits_is_bad(tmp_path):
    with pytest.raises(ValueError, match='1 of 2 lines.*line 3: the rating is no number'): read_ratings(write(tmp_path/'x.csv', 'user,item,rating\n1,2,3\n1,3,1e99\n'))

def test_lines_of_a_later_block_and_part_have_their_own_number(tmp_path, monkeypatch):
    init = module._Lines.__init__
    monkeypatch.setattr(module._Lines, '__init__', lambda self, f, name, encoding=None: init(self, f, name, encoding, 64))
    write(tmp_path/'a.csv', csv), write(tmp_path/'b.csv', csv*3 + 'x\n')
    with pytest.raises(ValueError, match=r"b.csv, line 7: .*b.csv, line 13: .*b.csv, line 19: "): read_ratings(tmp_path)

def test_a_file_of_nothing_but_bad_lines_is_refused_early(tmp_path):
    with pytest.raises(ValueError, match='at least'): read_ratings(write(tmp_path/'x.csv', csv + 'x\n'*5000))

def test_no_line_that_can_be_read(tmp_path):
    with pytest.raises(ValueError, match='none of its 1 lines can be read'): read_ratings(write(tmp_path/'x.csv', 'user,item,rating\n1,2,x\n'), bad_lines='count')

def test_parquet_rows_that_cannot_be_read(tmp_path):
    df = pd.DataFrame(dict(user=[1,None,3,4], item=['a','b','',None], rating=[1,2,3,np.nan]))
    df.to_parquet(tmp_path/'x.parquet')
    with pytest.raises(ValueError, match=r"3 of 4 rows.*row 2: no user.*row 3: no item.*row 4: no item"): read_ratings(tmp_path/'x.parquet')
    with pytest.warns(UserWarning, match='3 of 4'): got = read_ratings(tmp_path/'x.parquet', bad_lines='count')
    assert got.skipped==3 and got.to_frame().values.tolist()==[[1,'a',1]]


# files that are none

def test_no_such_file(tmp_path):
    write(tmp_path/'ratings.csv', csv)
    with pytest.raises(FileNotFoundError, match='rating.csv: there is no such file or folder. Did you mean ratings.csv?'): read_ratings(tmp_path/'rating.csv')
    with pytest.raises(FileNotFoundError, match='there is no folder'): read_ratings(tmp_path/'no/rating.csv')
    with pytest.raises(TypeError, match='path is a DataFrame'): read_ratings(table)

def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path)), monkeypatch.setenv('USERPROFILE', str(tmp_path))
    write(tmp_path/'r.csv', csv)
    assert len(read_ratings('~/r.csv'))==5

def test_folders_without_ratings(tmp_path):
    with pytest.raises(ValueError, match='no file of ratings in it, nothing'): read_ratings(tmp_path)
    write(tmp_path/'notes.md', 'x')
    with pytest.raises(ValueError, match='only notes.md'): read_ratings(tmp_path)
    write(tmp_path/'a/ratings.csv', csv), write(tmp_path/'b/ratings.csv', csv)
    with pytest.raises(ValueError, match='there are 2 files ratings.csv; name one of them: a/ratings.csv, b/ratings.csv'): read_ratings(tmp_path)

@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid()==0, reason='root may read everything')
def test_a_file_that_may_not_be_read(tmp_path):
    path = write(tmp_path/'r.csv', csv)
    path.chmod(0)
    with pytest.raises(PermissionError, match='r.csv'): read_ratings(path)

def office(): return zipped('x', '[Content_Types].xml')

@pytest.mark.parametrize('name,data,says', [('x.parquet', b'PAR1 and nothing', 'no Parquet file'), ('x.parquet', csv.encode(), 'no Parquet file'), ('x.csv', b'1,2,3\n\0\1', 'no text'),
    ('x.csv', gzip.compress(b'a.csv'+b'\0'*252+b'ustar'+b'\0'*250), 'a tar archive'), ('x.xlsx', office(), 'an Office file'), ('x.zip', b'PK\3\4 and nothing', 'cut short or damaged'),
    ('x.zip', zipped('x', 'notes.md'), 'only notes.md'), ('x.json', b'nonsense\n', 'x.json: one JSON object on each line is needed')])
def test_files_that_are_something_else(tmp_path, name, data, says):
    with pytest.raises(ValueError, match=says) as e: read_ratings(write(tmp_path/name, data))
    assert name in str(e.value) and '\n' not in str(e.value)

def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ModuleNotFoundError) as e: read_ratings(write(tmp_path/'x.csv', csv))
    assert str(e.value)=="Reading files needs PyArrow: pip install 'collab_lesson[files]'"


# memory

def test_memory_is_that_of_the_result(tmp_path):
    "No batch stays: ten times the rows cost what ten times the result costs"
    import tracemalloc
    n = 600_000
    u = np.arange(n)%5000
    pd.DataFrame(dict(user=u, item=u*7%997, rating=u%5)).to_parquet(tmp_path/'x.parquet', row_group_size=50_000)
    read_ratings(tmp_path/'x.parquet')
    tracemalloc.start()
    try:
        got = read_ratings(tmp_path/'x.parquet')
        peak = tracemalloc.get_traced_memory()[1]
    finally: tracemalloc.stop()
    assert got.nbytes==12*n and peak < 12*n + 5e6, f'{peak/n:.1f} bytes a rating'


# files that no one here wrote

other = root.parent/'shared/data/other'
if 'COLLAB_LESSON_OTHER_DATA' in os.environ: other = module.Path(os.environ['COLLAB_LESSON_OTHER_DATA'])

def real(name):
    if not (other/name).exists(): pytest.skip(f'no {name} in {other}: name its folder in COLLAB_LESSON_OTHER_DATA')
    return other/name

def test_real_latest_small():
    path = real('latest-small.ratings.csv')
    got = same(read_ratings(path), pd.read_csv(path), **named)
    assert (len(got), got.n_users-1, got.scale)==(100_836, 610, (.5,5)) and got.item_titles[1]=='Toy Story (1995)'

def test_real_filmtrust():
    path = real('filmtrust.txt')
    got = same(read_ratings(path), pd.read_csv(path, sep=' ', names=['user','item','rating']))
    assert (len(got), got.scale, got.times)==(35_497, (.5,4), None)

def test_real_jester():
    path = real('jester5k.csv.gz')
    got = same(read_ratings(path), pd.read_csv(path), item='joke')
    assert (len(got), got.n_users-1, got.n_items-1)==(363_209, 5000, 100)
