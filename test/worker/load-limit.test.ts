import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { limitLoad, loadLimit, type Pressure } from '../../src/index.ts'
import { until } from '../support/until.ts'

const calm: Pressure = { pendingAppends: 0, unsequenced: 0, lag: 0n, slowest: null }
const slowest = { kind: 'reactor', name: 'mails', version: 1 } as const

/** A store under a pressure that can be changed, which counts how often it is asked. */
function pressed(pressure: Partial<Pressure> = {}) {
  const store = {
    now: { ...calm, ...pressure },
    asked: 0,
    pendingAppends: () => store.now.pendingAppends,
    pressure: async (): Promise<Pressure> => {
      store.asked += 1
      return store.now
    },
  }
  return store
}

test.each([
  [{ pendingAppends: 11 }, { maxPendingAppends: 10 }, '11 appends are pending'],
  [{ pendingAppends: 10 }, { maxPendingAppends: 10 }, null],
  [{ unsequenced: 6 }, { maxUnsequenced: 5 }, '6 events have no position yet'],
  [{ unsequenced: 5 }, { maxUnsequenced: 5 }, null],
  [{ lag: 101n, slowest }, { maxLag: 100 }, 'reactor "mails" is 101 positions behind'],
  [{ lag: 100n, slowest }, { maxLag: 100 }, null],
  [{ pendingAppends: 99, unsequenced: 99, lag: 99n, slowest }, {}, null],
  [{ pendingAppends: 0 }, { maxPendingAppends: 0, maxLag: 0, maxUnsequenced: 0 }, null],
])('%o under %o: %s', async (pressure, limits, reason) => {
  const refusal = await loadLimit(pressed(pressure), { ...limits, retryAfterSeconds: 2.5 })()
  expect(refusal).toEqual(
    reason === null ? null : { status: 429, headers: { 'retry-after': '3' }, reason },
  )
})

test('the database is asked once for all requests of a while, the own queue at each', async () => {
  const store = pressed({ lag: 5n, slowest })
  const refuse = loadLimit(store, { maxLag: 10, maxPendingAppends: 1, refreshMs: 60_000 })
  await Promise.all([refuse(), refuse(), refuse()])
  store.now = { ...store.now, lag: 11n }
  expect(await refuse()).toBeNull()
  expect(store.asked).toBe(1)
  store.now = { ...store.now, pendingAppends: 2 }
  expect(await refuse()).toMatchObject({ reason: '2 appends are pending' })
})

test('nobody waits for the database once it has answered, and its next answer counts', async () => {
  const store = pressed({ lag: 11n, slowest })
  const refuse = loadLimit(store, { maxLag: 10, refreshMs: 0 })
  expect(await refuse()).not.toBeNull()
  const answer = Promise.withResolvers<Pressure>()
  store.pressure = () => answer.promise
  expect(await refuse()).not.toBeNull()
  expect(await refuse()).not.toBeNull()
  answer.resolve(calm)
  await until('the answer to count', async () => (await refuse()) === null)
})

test('nothing is refused while the database cannot be asked', async () => {
  const store = pressed()
  store.pressure = async () => {
    throw new Error('the server is gone')
  }
  const refuse = loadLimit(store, { maxLag: 0, maxPendingAppends: 1 })
  expect(await refuse()).toBeNull()
  store.now = { ...calm, pendingAppends: 2 }
  expect(await refuse()).not.toBeNull()
})

test.each([
  { maxLag: -1 },
  { maxLag: Number.NaN },
  { refreshMs: -1 },
  { retryAfterSeconds: Infinity },
])('a limit of %j is refused', (limits) => {
  expect(() => loadLimit(pressed(), limits)).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})

test('a request over the limit gets 429 and Retry-After, any other goes on', async () => {
  const store = pressed({ pendingAppends: 5 })
  const reasons: string[] = []
  const handle = limitLoad(loadLimit(store, { maxPendingAppends: 4 }), ({ reason }) =>
    reasons.push(reason),
  )
  const server = createServer((request, response) => {
    handle(request, response, (error) => {
      response.writeHead(error === undefined ? 204 : 500).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  try {
    const refused = await fetch(url)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await refused.text()).toBe('')
    expect(reasons).toEqual(['5 appends are pending'])
    store.now = calm
    expect((await fetch(url)).status).toBe(204)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('a refusal is what a Response can be made of', async () => {
  const refusal = await loadLimit(pressed({ pendingAppends: 1 }), { maxPendingAppends: 0 })()
  if (refusal === null) throw new Error('it was not refused')
  const response = new Response(null, refusal)
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1'])
})
