import { describe, expect, test } from 'vitest'
import { StreamTurns } from '../../src/store/stream-turns.ts'

/** Work that ends when it is told to. */
function openWork() {
  const gate = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const work = async () => {
    started.resolve()
    await gate.promise
  }
  return { work, started: started.promise, end: gate.resolve, fail: gate.reject }
}

describe('turns', () => {
  test('come in the order of the calls, one at a time', async () => {
    const turns = new StreamTurns()
    const seen: string[] = []
    let atWork = 0
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        turns.take('s', undefined, async () => {
          atWork += 1
          expect(atWork).toBe(1)
          await new Promise((resolve) => setImmediate(resolve))
          seen.push(name)
          atWork -= 1
        }),
      ),
    )
    expect(seen).toEqual(['a', 'b', 'c', 'd'])
  })

  test('of other streams are not waited for', async () => {
    const turns = new StreamTurns()
    const held = openWork()
    const holding = turns.take('held', undefined, held.work)
    expect(await turns.take('free', undefined, async () => 'done')).toBe('done')
    held.end()
    await holding
  })

  test('go on after one that failed, whose error is its own', async () => {
    const turns = new StreamTurns()
    const first = openWork()
    const failing = turns.take('s', undefined, first.work)
    const next = turns.take('s', undefined, async () => 'next')
    first.fail(new Error('no'))
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('next')
  })

  test('are given up at once, and those behind keep their place', async () => {
    const turns = new StreamTurns()
    const first = openWork()
    const stop = new AbortController()
    const seen: string[] = []
    const holding = turns.take('s', undefined, first.work)
    const given = turns.take('s', stop.signal, async () => stop.signal.throwIfAborted())
    const behind = turns.take('s', undefined, async () => seen.push('behind'))
    stop.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    expect(seen).toEqual([])
    first.end()
    await Promise.all([holding, behind])
    expect(seen).toEqual(['behind'])
  })

  test('leave nothing behind', async () => {
    const turns = new StreamTurns()
    const works = ['a', 'b', 'a'].map((streamId) => turns.take(streamId, undefined, async () => {}))
    expect(turns.size).toBe(2)
    await Promise.all(works)
    await new Promise((resolve) => setImmediate(resolve))
    expect(turns.size).toBe(0)
  })
})
