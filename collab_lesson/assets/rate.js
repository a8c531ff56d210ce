// Rate some movies: the user's factors are the solution of a small ridge system, found here, in the page; a list may come from EASE.
collabLesson.define('rate', ({ data, body, state, say }) => {
  const { h, fmt, clamp } = collabLesson, { matrix, dotted, foldIn, speak, reason, ahead, rater } = collabLesson.films
  const { titles, n_factors: k, bias, offset, reg, y_range, levels, prior, show } = data
  const Q = matrix(data.factors, k).map(q => [...q, 1])  // the last 1 carries the user's bias
  const B = data.B ? matrix(data.B, titles.length) : null
  const [lo, hi] = y_range || [0, 1], least = levels[0], most = levels[levels.length - 1]
  const raw = r => y_range ? Math.log((r - lo) / (hi - r)) : r, cooked = z => y_range ? lo + (hi - lo) / (1 + Math.exp(-z)) : z
  const best = h('ol.cl-list', { role: 'list', 'aria-label': 'Recommendations' }), says = h('p.cl-note')
  const { ratings, find, list, tools } = rater({ titles, levels, body, slots: data.slots, remember: data.remember, change: () => draw() })
  body.append(find, h('div.cl-cols.cl-rate', {},
    h('div', {}, h('p.cl-head', {}, 'Rate some movies'), list, tools),
    h('div', {}, h('p.cl-head', {}, 'For you ', h('span.cl-mute', {}, '(number: predicted stars)')), best)), says)

  const stay = `Your ratings stay in this ${data.remember ? 'browser' : 'page'}.`
  function draw() {
    const start = performance.now()
    const user = foldIn([...ratings].map(([i, r]) => [Q[i], raw(r) - offset - bias[i]]), reg, prior), took = performance.now() - start
    const predictions = Q.map((q, i) => cooked(offset + bias[i] + dotted(q, user)))
    const c = ratings.size, lists = B && c, scores = lists ? speak(B, ratings, levels) : predictions
    const order = predictions.map((_, i) => i).filter(i => !ratings.has(i)).sort((a, b) => scores[b] - scores[a] || a - b)
    const top = order.slice(0, show), bar = ahead(scores, order, show)
    best.classList.toggle('cl-why', !!B)
    best.replaceChildren(...top.map(i => {
      const why = lists ? reason(B, ratings, levels, i, titles) : B ? 'liked by most' : null
      return h('li', {}, h('span.cl-title', { title: titles[i] }, titles[i], why && h('small', { title: why }, why)),
        h('span.cl-bar', { 'aria-hidden': 'true' }, h('i.cl-move', { style: `width:${4 + 96 * bar(i)}%` })), h('span.cl-num', {}, fmt(clamp(predictions[i], least, most), 1)))
    }))
    const number = `${c} ${c === 1 ? 'rating' : 'ratings'}`
    says.textContent = !c ? 'No rating yet, so everybody gets this list. Give a star and it becomes yours. ' + stay
      : lists ? `From ${number}: each film you rated speaks for others as much as you liked it. Bars: how far a film is ahead of place ${Math.min(3 * show + 1, order.length)}. ${stay}`
        : `From ${number}: ${k + 1} equations solved in ${fmt(Math.max(.1, took), 1)} ms, in this page. ${stay}`
    say(`${number}. First three recommendations: ${top.slice(0, 3).map(i => titles[i]).join(', ')}.`)
    state({ ratings: [...ratings], user: user.slice(0, k), user_bias: user[k], top: top.map(i => titles[i]), predictions, scores: lists ? scores : null })
  }
  draw()
})
