import { expect, test } from 'vitest'
import { paceOf } from '../../src/subscriptions/pace.ts'

test('a pace waits as long as the events may take, and no longer than it is let', async () => {
  const pace = paceOf(1_000)
  const { signal } = new AbortController()
  const began = performance.now()
  for (let chunk = 0; chunk < 4; chunk += 1) await pace(50, signal)
  expect(performance.now() - began).toBeGreaterThan(190)
  await paceOf(1)(1_000_000, AbortSignal.abort())
})

test('a pace makes up for a second of slowness at most', async () => {
  let now = 0
  const pace = paceOf(1_000, () => now)
  now = 60_000
  const { signal } = new AbortController()
  await pace(1_000, signal)
  const began = performance.now()
  await pace(50, signal)
  expect(performance.now() - began).toBeGreaterThan(45)
})
