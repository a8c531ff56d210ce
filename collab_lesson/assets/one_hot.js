// A one-hot vector times a matrix is a row of the matrix: count the multiplications.
collabLesson.define('one_hot', ({ data, body, state, say }) => {
  const { h, set, slider, button, fmt, reduced } = collabLesson
  const { factors, names, full, index } = data, n = factors.length, k = factors[0].length
  const peak = Math.max(...factors.flat().map(Math.abs)) || 1
  const short = v => k > 5 ? fmt(v).replace('0.', '.') : fmt(v)  // six columns fit on a phone without the zero
  const whole = x => x.toLocaleString('en-US')
  const title = i => names[i] ? `${i}, ${names[i]}` : `row ${i}`
  let at = index, done = n, timer  // row looked up; rows multiplied so far

  const pick = slider({ label: 'Row to look up', min: 0, max: n - 1, step: 1, value: at, text: i => names[i] ? `${i}: ${names[i]}` : i, input: choose })
  const heat = (td, v) => {
    td.style.setProperty('--heat', Math.abs(v) / peak)
    td.style.setProperty('--tint', v < 0 ? 'var(--neg)' : 'var(--pos)')
  }
  const rows = factors.map((f, i) => {
    const hot = h('td.cl-hot.cl-move'), cells = f.map(v => { const td = h('td.cl-heat.cl-move', {}, short(v)); heat(td, v); return td })
    return { hot, el: h('tr.cl-pick.cl-move', { onclick: () => { pick.put(i); choose(i) } }, h('th', { scope: 'row', title: names[i] }, names[i] ? `${i} ${names[i]}` : i), hot, ...cells) }
  })
  const sums = Array.from({ length: k }, () => h('td.cl-heat'))
  const table = h('table.cl-onehot.cl-tight', { style: `--first:${names.some(Boolean) ? 24 : 12}%` },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'row'), h('th.cl-mid', { scope: 'col' }, 'one-hot'), h('th.cl-mid', { scope: 'colgroup', colspan: k }, `× the matrix, ${n} × ${k}`))),
    h('tbody', {}, rows.map(r => r.el)),
    h('tfoot', {}, h('tr', {}, h('th', { scope: 'row' }, 'sum'), h('td', {}, '='), sums)))

  const squares = factors.map(f => f.map(() => h('i')))
  const count = h('output.cl-big'), zeros = h('span'), found = h('span.cl-num')
  const run = button('Multiply', play, { class: 'cl-button cl-main', 'aria-label': 'Multiply row by row' })
  const tally = h('div.cl-tally', {},
    h('div', {}, h('p.cl-head', {}, 'One-hot × matrix'), h('p', {}, count, ' multiplications'), h('p.cl-mute', {}, zeros),
      h('div.cl-squares', { 'aria-hidden': 'true', style: `--k:${k}` }, squares)),
    h('div', {}, h('p.cl-head', {}, 'Looking the row up'), h('p', {}, h('output.cl-big', {}, '0'), ' multiplications'), h('p.cl-mute', {}, '1 row read: ', found),
      h('p.cl-full', {}, `With ${whole(full[0])} rows of ${full[1]}: ${whole(full[0] * full[1])} multiplications against none.`)))
  body.append(h('div.cl-top', {}, pick.el, run), h('div.cl-two', {}, table, tally))

  function draw() {
    rows.forEach(({ el, hot }, i) => {
      hot.textContent = i === at ? '1' : '0'
      el.classList.toggle('cl-lit', i === at)
      el.classList.toggle('cl-now', i === done && timer != null)
      set(el, { 'aria-current': i === at ? 'true' : null })
      squares[i].forEach(s => { s.className = i >= done ? '' : i === at ? 'cl-one' : 'cl-zero' })
    })
    const sum = factors[at].map(v => at < done ? v : 0), made = done * k
    sums.forEach((td, j) => { td.textContent = short(sum[j]); heat(td, sum[j]) })
    const byZero = (done - (at < done)) * k
    count.textContent = made
    zeros.textContent = `${byZero} of them by zero`
    found.textContent = title(at)
    run.textContent = timer ? 'Stop' : 'Multiply'
    set(run, { 'aria-label': timer ? 'Stop' : 'Multiply row by row' })
    state({ index: at, multiplications: made, by_zero: byZero, result: sum })
  }
  function stop() { clearInterval(timer); timer = null }
  function choose(i) { stop(); at = i; done = n; draw(); tell() }
  function tell() {
    say(`${title(at)}: the product made ${done * k} multiplications, ${(done - 1) * k} of them by zero. The lookup made none.`)
  }
  function play() {
    if (timer) { stop(); done = n; return draw() }
    if (reduced()) { done = n; draw(); return tell() }
    done = 0
    timer = setInterval(() => { if (++done >= n) { stop(); tell() } draw() }, 350)
    draw()
  }
  draw()
})
