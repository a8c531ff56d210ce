// Gradient descent on a small crosstab: factors at the margins, predictions in the cells, blanks filling in.
collabLesson.define('descent', ({ data, root, body, state, say }) => {
  const { h, set, slider, button, chart, scale, ticks, line, text, dot, path, fmt, reduced } = collabLesson
  const { ratings, users, movies, wd } = data, known = ratings.flat().filter(r => r !== null).length
  const copy = m => m.map(r => [...r]), dotted = (a, b) => a.reduce((s, v, i) => s + v * b[i], 0)
  const k = data.user_factors[0].length, low = Math.min(...ratings.flat().filter(r => r !== null)), high = Math.max(...ratings.flat())
  let P, Q, history, lr = data.lr, timer = null, broken

  const predict = () => P.map(p => Q.map(q => dotted(p, q)))
  const loss = () => { const y = predict(); return ratings.reduce((s, row, i) => s + row.reduce((t, r, j) => r === null ? t : t + (y[i][j] - r) ** 2, 0), 0) / known }
  function descend() {  // one step down the gradient of the mean squared error (+ wd × the squares of all factors)
    const y = predict(), gP = P.map(p => p.map(v => 2 * wd * v)), gQ = Q.map(q => q.map(v => 2 * wd * v))
    ratings.forEach((row, i) => row.forEach((r, j) => {
      if (r === null) return
      const e = 2 * (y[i][j] - r) / known
      for (let f = 0; f < k; f++) { gP[i][f] += e * Q[j][f]; gQ[j][f] += e * P[i][f] }
    }))
    const move = (m, g) => m.forEach((row, i) => row.forEach((_, f) => { row[f] -= lr * g[i][f] }))
    move(P, gP); move(Q, gQ)
    const l = loss()
    broken = !(l < 1e6)
    history.push(broken ? 1e6 : l)
  }

  const heat = (td, v, lo, hi, tint) => {
    td.textContent = Math.abs(v) < 100 ? fmt(v, k + movies.length > 7 ? 1 : 2) : '∞'
    td.style.setProperty('--heat', Math.min(1, Math.max(0, (Math.abs(v) - lo) / (hi - lo || 1))))
    td.style.setProperty('--tint', tint)
  }
  const pF = users.map(() => data.user_factors[0].map(() => h('td.cl-heat.cl-factor')))
  const qF = data.user_factors[0].map(() => movies.map(() => h('td.cl-heat.cl-factor')))
  const cells = ratings.map(row => row.map(r => {
    const guess = h('span'), td = h('td.cl-heat.cl-cell', {}, guess, h('small', {}, r === null ? 'blank' : [h('span.cl-wide', {}, 'rated '), r]))
    td.classList.toggle('cl-blank', r === null)
    return { td, guess }
  }))
  const table = h('table.cl-crosstab.cl-tight', {},
    h('thead', {},
      h('tr', {}, h('td', { colspan: k + 1 }), movies.map(m => h('th.cl-mid', { scope: 'col', title: m }, m))),
      qF.map((row, f) => h('tr', {}, h('th.cl-end', { scope: 'row', colspan: k + 1 }, f ? '' : 'movie factors', f && f === k - 1 ? 'user factors ↓' : '', f ? h('span.cl-hide', {}, `, movie factor ${f + 1}`) : ''), row))),
    h('tbody', {}, users.map((u, i) => h('tr', {}, h('th', { scope: 'row', title: u }, u), pF[i], cells[i].map(c => c.td)))))

  const losses = chart({ height: 176, label: 'The loss, step by step', draw: (w, height) => {
    const n = Math.max(20, history.length - 1), top = Math.min(1e3, Math.max(...history)) * 1.05, x = scale(0, n, 34, w - 12), y = scale(0, top, height - 34, 14)
    let svg = text(0, 10, 'loss', 'name halo') + text(x(n / 2), height - 2, 'steps', 'name mid')
    for (const t of ticks(0, top, 4)) svg += line(34, y(t), w - 12, y(t), 'grid') + text(28, y(t) + 4, +t.toPrecision(3), 'tick end')
    for (const t of ticks(0, n, 4)) svg += text(x(t), height - 18, t, 'tick mid')
    const points = history.map((v, i) => [x(i), y(Math.min(v, top))])
    if (points.length > 1) svg += path(points, 'pos thick')
    return svg + dot(...points[points.length - 1], 6, 'fpos ring')
  } })
  const step = button('Step', () => { stop(); descend(); draw(true) })
  const play = button('Play', () => {
    if (timer) { stop(); return draw(true) }
    if (reduced()) { for (let i = 0; i < data.steps && !broken; i++) descend(); return draw(true) }
    const end = history.length + data.steps
    timer = setInterval(() => { descend(); if (broken || history.length >= end) stop(); draw(!timer) }, 60)
    draw()
  }, { class: 'cl-button cl-main' })
  const reset = button('Reset', () => { start(); draw(true) })
  const rate = slider({ label: 'Learning rate', min: 0, max: data.lr * data.most, step: data.lr / 20, value: lr, input: v => { lr = v; draw() } })
  const says = h('p.cl-note')
  const count = h('output.cl-big'), now = h('output.cl-big')
  body.append(table,
    h('div.cl-cols', {},
      h('div.cl-panel', {}, h('div.cl-tools', { role: 'group', 'aria-label': 'Gradient descent' }, step, play, reset), rate.el,
        h('div.cl-tools.cl-facts', {}, h('p', {}, count, ' steps'), h('p', {}, now, ' loss'))),
      losses.el), says)

  function stop() { clearInterval(timer); timer = null }
  function start() { stop(); P = copy(data.user_factors); Q = copy(data.movie_factors); broken = false; history = [loss()] }
  function draw(speak) {
    const y = predict(), l = history[history.length - 1], steps = history.length - 1, size = Math.max(...P.flat(), ...Q.flat(), 1)
    P.forEach((row, i) => row.forEach((v, f) => heat(pF[i][f], v, 0, size, v < 0 ? 'var(--neg)' : 'var(--alt)')))
    Q.forEach((row, j) => row.forEach((v, f) => heat(qF[f][j], v, 0, size, v < 0 ? 'var(--neg)' : 'var(--alt)')))
    y.forEach((row, i) => row.forEach((v, j) => {
      const { td, guess } = cells[i][j]
      guess.textContent = Math.abs(v) < 100 ? fmt(v, 1) : '∞'
      td.style.setProperty('--heat', Math.min(1, Math.max(0, (v - low + 1) / (high - low + 1))))
    }))
    count.textContent = steps
    now.textContent = broken ? 'diverges' : fmt(l, 3)
    play.textContent = timer ? 'Pause' : reduced() ? `${data.steps} steps` : 'Play'
    step.disabled = play.disabled = broken
    const words = broken ? `Training diverges: at a learning rate of ${fmt(lr)} the steps are too long and overshoot. The loss after ${steps} ${steps === 1 ? 'step' : 'steps'} is beyond a million. Press Reset and choose a smaller rate.`
      : steps === 0 ? `Factors are random, so the ${known} known ratings are missed by a lot: loss ${fmt(l, 3)}. Take a step.`
        : `After ${steps} ${steps === 1 ? 'step' : 'steps'} the loss is ${fmt(l, 3)}. Nobody gave the ${ratings.flat().length - known} blanks a rating, yet each holds a prediction now.`
    says.textContent = words
    if (speak) say(words)
    losses.redraw()
    state({ steps, loss: broken ? null : l, diverges: !!broken, lr, predictions: broken ? null : y, running: !!timer })
  }
  start()
  draw()
})
