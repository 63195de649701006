import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { progressText, showProgress } from '../../src/cli/rebuild-progress.ts'
import type { RebuildProgress } from '../../src/index.ts'

const orders = { name: 'orders', version: 2 }
const half: RebuildProgress = {
  position: 5_000n,
  head: 12_000n,
  eventsPerSecond: 1_234.5,
  remainingMs: 6_000,
  isIndexing: false,
}

function fakeStderr(isTTY: boolean) {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY, columns: 120 })
  return { stderr: stream as unknown as NodeJS.WriteStream, read: () => stream.read() as string }
}

test('writes position, head, rate and what is left', () => {
  expect(progressText(half)).toBe('5,000 of 12,000 (41%), 1,235 events/s, 6.0 s left')
})

test('says that indexes are being made, of which nobody knows how long it takes', () => {
  const last = { ...half, position: 12_000n, remainingMs: null, isIndexing: true }
  expect(progressText(last)).toBe('12,000 of 12,000 (100%), making indexes')
})

test('leaves out what nobody knows yet', () => {
  const start = { position: 0n, head: 0n, eventsPerSecond: 0, remainingMs: null }
  expect(progressText(start)).toBe('0 of 0 (100%), 0 events/s')
})

test('writes a line now and then where no terminal is', () => {
  const { stderr, read } = fakeStderr(false)
  const clock = { now: 100 }
  const progress = showProgress({ stderr }, {}, orders, () => clock.now)
  progress.show(half)
  clock.now = 5_000
  progress.show({ ...half, position: 6_000n })
  clock.now = 5_100
  progress.show({ ...half, position: 7_000n })
  progress.announceStop()
  progress.end()
  expect(read()).toBe(
    'orders version 2: 5,000 of 12,000 (41%), 1,235 events/s, 6.0 s left\n' +
      'orders version 2: 7,000 of 12,000 (58%), 1,235 events/s, 6.0 s left\n',
  )
})

test('draws a bar on a terminal, until it is told to stop', () => {
  const { stderr, read } = fakeStderr(true)
  const progress = showProgress({ stderr }, {}, orders)
  progress.show(half)
  progress.announceStop()
  progress.show({ ...half, position: 12_000n })
  progress.end()
  const drawn = read()
  expect(drawn).toContain('orders version 2 ##########-------------- 5,000 of 12,000 (41%)')
  expect(drawn).toContain('\nstopping after the chunk at hand; once more to stop at once\n')
  expect(drawn).not.toContain('(100%)')
})

test('is silent when the output is for a program', () => {
  const { stderr, read } = fakeStderr(true)
  const progress = showProgress({ stderr }, { json: true }, orders)
  progress.show(half)
  progress.announceStop()
  progress.end()
  expect(read()).toBeNull()
})
