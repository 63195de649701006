import { describe, expect, test } from 'vitest'
import { type EventPage, iteratePages } from '../../src/store/iterate-pages.ts'

/** Serves numbers in pages of ten, and keeps count of what is asked for. */
function servePages(pages: number) {
  const asked: number[] = []
  let finished = 0
  const readPage = async (cursor = 0): Promise<EventPage<number, number>> => {
    asked.push(cursor)
    await new Promise(setImmediate)
    finished += 1
    const events = Array.from({ length: 10 }, (_, n) => cursor * 10 + n)
    return { events, next: cursor + 1 < pages ? cursor + 1 : null }
  }
  return { asked, readPage, finished: () => finished }
}

describe.each([true, false])('an iterator (prefetch: %s)', (prefetch) => {
  test('gives the events of all pages in their order', async () => {
    const { readPage, asked } = servePages(4)
    const events = await Array.fromAsync(iteratePages(readPage, { prefetch }))
    expect(events).toEqual(Array.from({ length: 40 }, (_, n) => n))
    expect(asked).toEqual([0, 1, 2, 3])
  })

  test('asks for nothing before the first event is wanted', async () => {
    const { readPage, asked } = servePages(4)
    const events = iteratePages(readPage, { prefetch })
    await Promise.resolve()
    expect(asked).toEqual([])
    await events.return()
  })

  test('is never more than one page ahead', async () => {
    const { readPage, asked } = servePages(20)
    let most = 0
    for await (const event of iteratePages(readPage, { prefetch })) {
      const page = Math.floor(event / 10)
      most = Math.max(most, (asked.at(-1) ?? 0) - page)
    }
    expect(most).toBe(prefetch ? 1 : 0)
  })

  test('leaves no read under way when its reader stops early', async () => {
    const { readPage, asked, finished } = servePages(20)
    for await (const event of iteratePages(readPage, { prefetch })) if (event === 15) break
    expect(finished()).toBe(asked.length)
    expect(asked).toHaveLength(prefetch ? 3 : 2)
  })

  test('gives what it has before it tells that the next page failed', async () => {
    const failure = new Error('connection lost')
    const readPage = async (cursor = 0): Promise<EventPage<number, number>> => {
      if (cursor === 1) throw failure
      return { events: [1, 2, 3], next: 1 }
    }
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of iteratePages(readPage, { prefetch })) {
        seen.push(event)
        // Time in which a rejection that nobody listens to would end the process.
        await new Promise(setImmediate)
      }
    })()
    await expect(reading).rejects.toBe(failure)
    expect(seen).toEqual([1, 2, 3])
  })
})
