import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from './until.ts'

test('returns the first value that is neither undefined nor false', async () => {
  const answers = [undefined, false, 'ready', 'late'] as const
  let looks = 0
  const value = await until('an answer', async () => answers[looks++], { intervalMs: 1 })
  expect(value).toBe('ready')
  expect(looks).toBe(3)
})

test.for([0, '', null])('takes %j for a value', async (value) => {
  expect(await until('a falsy value', async () => value)).toBe(value)
})

test('looks at once and does not sleep after it has found', async () => {
  const started = performance.now()
  await until('nothing', async () => true, { intervalMs: 5_000 })
  expect(performance.now() - started).toBeLessThan(1_000)
})

test('tells what it waited for, how long, and what it saw last', async () => {
  const waiting = until(
    'two rows',
    async (saw) => {
      saw([{ id: 1 }])
      return false
    },
    { timeoutMs: 40 },
  )
  await expect(waiting).rejects.toThrow('waited 40 ms for two rows; last seen: [ { id: 1 } ]')
})

test('tells the value of the last look when the probe kept nothing', async () => {
  await expect(until('a change', async () => false, { timeoutMs: 20 })).rejects.toThrow(
    'last seen: false',
  )
})

test('prints a text that was seen as it is', async () => {
  const waiting = until('an end', (saw) => saw('line 1\nline 2') === null, { timeoutMs: 20 })
  await expect(waiting).rejects.toThrow('last seen: line 1\nline 2')
})

test('ends when the probe hangs', async () => {
  let looks = 0
  const waiting = until(
    'an answer',
    async (saw) => {
      looks += 1
      saw(`look ${looks}`)
      await (looks === 3 ? new Promise<never>(() => {}) : sleep(1))
      return false
    },
    { timeoutMs: 100 },
  )
  await expect(waiting).rejects.toThrow('waited 100 ms for an answer; last seen: look 3')
})

test('says so when the first look hangs', async () => {
  const waiting = until('an answer', () => new Promise<never>(() => {}), { timeoutMs: 20 })
  await expect(waiting).rejects.toThrow('the first look has not returned')
})

test('accepts a value of a look that began before the deadline', async () => {
  const value = await until('a slow answer', () => sleep(60, 'late'), { timeoutMs: 20 })
  expect(value).toBe('late')
})

test('passes on an error of the probe at once', async () => {
  const broken = new Error('no such table')
  let looks = 0
  const waiting = until('a row', async () => {
    looks += 1
    throw broken
  })
  await expect(waiting).rejects.toBe(broken)
  expect(looks).toBe(1)
})
