// You are row 944: the reader's own ratings come back in chapter after chapter, as what that chapter makes of them.
collabLesson.define('row_944', ({ data, body, state, say }) => {
  const { h, button, chart, line, dot, text, fmt, clamp } = collabLesson
  const { matrix, dotted, foldIn, speak, reason, ahead, plain, rater } = collabLesson.films
  const { stage, titles, levels } = data, n = titles.length, signed = (x, d = 2) => (x < 0 ? '' : '+') + fmt(x, d)
  const panel = h('div.cl-panel'), says = h('p.cl-note')
  const heads = { blank: 'Row 944 of the table', embedding: 'Row 944 of an embedding', random: 'Row 944 as an arrow', bias: 'Your bias', fold_in: 'Your row, folded in', list: 'A list for row 944' }
  const { ratings, find, list, tools } = rater({ titles, levels, body, slots: 6, remember: true, change: () => draw() })
  body.append(find, h('div.cl-cols.cl-rate', {}, h('div', {}, h('p.cl-head', {}, 'Your stars'), list, tools), h('div', {}, h('p.cl-head', {}, heads[stage]), panel)), says)

  // a table of the films rated last, with numbers behind each
  const most = 6
  const films = (names, numbers, digits = 2) => {
    const last = [...ratings].slice(-most)
    return h('table.cl-films', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, ratings.size > most ? `last ${most} films` : 'film'), names.map(s => h('th', { scope: 'col' }, s)))),
      h('tbody', {}, last.map(([i, r]) => h('tr', {}, h('th', { scope: 'row', title: titles[i] }, plain(titles[i])), numbers(i, r).map(v => h('td', {}, typeof v === 'number' ? fmt(v, digits) : v))))))
  }
  const cells = (row, name, limit) => h('tr', {}, h('th', { scope: 'row' }, name), row.map(v => h('td.cl-heat', { style: `--heat:${clamp(Math.abs(v) / limit, 0, 1)};--tint:var(--${v < 0 ? 'neg' : 'pos'})` }, fmt(v))))
  const blank = () => h('p.cl-empty', {}, 'Your row is blank. Give a star to a film that you know.')
  const pairs = () => [...ratings], count = () => `${ratings.size} ${ratings.size === 1 ? 'rating' : 'ratings'}`
  const mse = f => pairs().reduce((s, [i, r]) => s + (f(i) - r) ** 2, 0) / ratings.size

  const stages = {
    blank() {
      const grid = h('div.cl-holes', { role: 'img', 'aria-label': `${ratings.size} of ${n} cells filled` }, titles.map((t, i) => h('i', { title: t, class: ratings.has(i) ? 'cl-full' : null }, ratings.has(i) ? `${ratings.get(i)}` : '')))
      return () => [[grid], ratings.size
        ? `${ratings.size} of these ${n} cells ${ratings.size === 1 ? 'has' : 'have'} a number, ${n - ratings.size} are holes. This row stays in this browser; later chapters fill it in.`
        : `All ${n} cells are holes: nobody knows anything about you. Rate a few films. Your row stays in this browser; later chapters come back to it.`, { filled: ratings.size, holes: n - ratings.size }]
    },
    embedding() {
      const films_ = matrix(data.films, data.k)
      let row = [...data.row], steps = 0
      const limit = 2.5
      const step = button('One step', () => { descend(); draw() }), reset = button('Back to the start', () => { row = [...data.row]; steps = 0; draw() })
      const gradient = () => row.map((_, f) => pairs().reduce((s, [i, r]) => s + 2 * (dotted(row, films_[i]) - r) * films_[i][f], 0) / (ratings.size || 1))
      const descend = () => { const g = gradient(); row = row.map((v, f) => v - data.lr * g[f]); steps++ }
      return () => {
        const g = gradient(), loss = ratings.size ? mse(i => dotted(row, films_[i])) : null
        const table = h('table.cl-vector', {}, h('tbody', {}, cells(data.row, 'drawn', limit), cells(row, 'now', limit), cells(g, 'gradient', 8)))
        return [[table, h('div.cl-tools', {}, step, reset)], ratings.size
          ? `${count()}: row 944 is looked up once for each, and their errors add up in its gradient. Loss ${fmt(loss)} after ${steps} ${steps === 1 ? 'step' : 'steps'}.`
          : 'Nobody looks row 944 up, so its gradient is zero: a step leaves it as it was drawn. Give a star.', { row, gradient: g, loss, steps }]
      }
    },
    random() {
      const films_ = matrix(data.films, 2)
      let row = [...data.row], seed = data.seed
      const random = () => { seed = seed + 0x6D2B79F5 | 0; let t = Math.imul(seed ^ seed >>> 15, 1 | seed); t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t; return ((t ^ t >>> 14) >>> 0) / 4294967296 }
      const draw2 = () => { const r = data.sd * Math.sqrt(-2 * Math.log(1 - random())), a = 2 * Math.PI * random(); row = [r * Math.cos(a), r * Math.sin(a)]; draw() }
      const again = button('Draw another arrow', draw2), H = 150
      const plot = chart({ height: H, label: 'Your row as an arrow, films you rated as dots', draw: w => {
        const X = v => w / 2 + v / (3 * data.sd) * w / 2, Y = v => H / 2 - v / (3 * data.sd) * H / 2
        let svg = line(0, H / 2, w, H / 2, 'grid') + line(w / 2, 0, w / 2, H, 'grid')
        for (const [i] of pairs()) svg += dot(X(films_[i][0]), Y(films_[i][1]), 4, 'falt ring')
        const [a, b] = [X(row[0]), Y(row[1])], t = Math.atan2(b - H / 2, a - w / 2)
        svg += line(w / 2, H / 2, a, b, 'pos thick')
        for (const s of [2.6, -2.6]) svg += line(a, b, a + 9 * Math.cos(t + s), b + 9 * Math.sin(t + s), 'pos thick')
        return svg + text(a + (a < w / 2 ? -8 : 8), b + 4, 'you', `b halo ${a < w / 2 ? 'end' : ''}`)
      } })
      return () => {
        plot.redraw()
        const product = i => dotted(row, films_[i]), loss = ratings.size ? mse(product) : null
        return [[plot.el, h('div.cl-tools', {}, again)], ratings.size
          ? `Two random numbers for you, two for each film: the product with ${plain(titles[pairs().at(-1)[0]])} is ${fmt(product(pairs().at(-1)[0]), 5)}, and you gave ${pairs().at(-1)[1]}. Mean squared error over ${count()}: ${fmt(loss)}, whichever arrow you draw.`
          : 'Before training your row is an arrow drawn at random. Rate films and see what its products are worth.', { row, products: pairs().map(([i]) => product(i)), loss }]
      }
    },
    bias: () => () => {
      const rest = (i, r) => r - data.mean - data.bias[i], sum = pairs().reduce((s, [i, r]) => s + rest(i, r), 0), b = sum / (ratings.size + data.damping)
      if (!ratings.size) return [[blank()], `Without a rating your bias is 0: an average user, who gives each film its mean.`, { user_bias: 0 }]
      return [[films(['you', 'expected', 'more'], (i, r) => [`${r}`, fmt(data.mean + data.bias[i]), signed(rest(i, r))])],
        `What you gave beyond the mean and each film's own bias: ${signed(sum)} in all. Divided by ${ratings.size} + ${data.damping}: your bias is ${signed(b)} stars.`, { user_bias: b }]
    },
    fold_in() {
      const Q = matrix(data.factors, data.k).map(q => [...q, 1])
      return () => {
        const user = foldIn(pairs().map(([i, r]) => [Q[i], r - data.mean - data.bias[i]]), data.reg, data.prior)
        const predictions = Q.map((q, i) => data.mean + data.bias[i] + dotted(q, user)), before = Q.map((q, i) => data.mean + data.bias[i] + dotted(q, data.prior))
        const limit = Math.max(.5, ...user.map(Math.abs))
        const bars = h('div.cl-bars', { role: 'img', 'aria-label': `${data.k} factors and a bias of ${fmt(user[data.k])}` }, user.map((v, f) => h('span', { title: f < data.k ? `factor ${f}: ${fmt(v)}` : `bias: ${fmt(v)}` },
          h('i', { class: v < 0 ? 'cl-down' : 'cl-up', style: `height:${Math.abs(v) / limit * 50}%` }))))
        const show = v => fmt(clamp(v, levels[0], levels.at(-1)), 1)
        return [[bars, ratings.size ? films(['you', 'before', 'after'], (i, r) => [`${r}`, show(before[i]), show(predictions[i])]) : blank()], ratings.size
          ? `${count()}, ${data.k + 1} equations: your row has ${data.k} factors and a bias of ${signed(user[data.k])}. No film moved, and nobody trained anything.`
          : 'Without ratings your row is the mean of all users.', { user, predictions }]
      }
    },
    list() {
      const B = matrix(data.B, n), show = 5
      return () => {
        if (!ratings.size) return [[blank()], 'Without a rating every film has the score 0: there is no list.', { top: [], scores: B.map(() => 0) }]
        const scores = speak(B, ratings, levels), order = titles.map((_, i) => i).filter(i => !ratings.has(i)).sort((a, b) => scores[b] - scores[a] || a - b)
        const bar = ahead(scores, order, show), top = order.slice(0, show)
        return [[h('ol.cl-list.cl-why', { role: 'list', 'aria-label': 'Recommendations' }, top.map(i => {
          const why = reason(B, ratings, levels, i, titles)
          return h('li', {}, h('span.cl-title', { title: titles[i] }, titles[i], h('small', { title: why }, why)), h('span.cl-bar', { 'aria-hidden': 'true' }, h('i.cl-move', { style: `width:${4 + 96 * bar(i)}%` })))
        }))], `A score is a sum over your ${count()}: each speaks for other films by its row of EASE's matrix. Bars: how far a film is ahead of place ${Math.min(3 * show + 1, order.length)}.`, { top: top.map(i => titles[i]), scores }]
      }
    },
  }
  let stageDraw = null
  function draw() {
    const held = panel.contains(document.activeElement) ? document.activeElement : null
    if (!stageDraw || stage === 'blank') stageDraw = stages[stage]()
    const [parts, words, s] = stageDraw()
    panel.replaceChildren(...parts)
    if (held && held.isConnected) held.focus()
    says.textContent = words
    say(words)
    state({ stage, ratings: pairs(), ...s })
  }
  draw()
})
