import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { keepTrying } from '../../src/db/keep-trying.ts'

const options = { task: 'test', minDelayMs: 1, maxDelayMs: 4 }

/** Runs a task until it has been tried so many times, and tells what was logged. */
async function tryTimes(
  times: number,
  task: (attempt: number, healthy: () => void) => Promise<void>,
) {
  const stop = new AbortController()
  const logged: { level: string; message: string; attempt?: number }[] = []
  const log = (level: string) => (fields: object, message: string) => {
    logged.push({ level, message, ...fields })
  }
  let attempts = 0
  await keepTrying(
    async (healthy) => {
      attempts += 1
      if (attempts === times) stop.abort()
      await task(attempts, healthy)
    },
    {
      ...options,
      signal: stop.signal,
      logger: { ...silentLogger, warn: log('warn'), error: log('error') },
    },
  )
  return { attempts, logged }
}

describe('a task that is kept trying', () => {
  test('runs again after each failure, and each one is logged', async () => {
    const { attempts, logged } = await tryTimes(5, async (attempt) => {
      throw new Error(`failure ${attempt}`)
    })
    expect(attempts).toBe(5)
    expect(logged.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'failure 1'],
      ['warn', 'failure 2'],
      ['warn', 'failure 3'],
      ['warn', 'failure 4'],
    ])
    expect(logged).toMatchObject([{ task: 'test', attempt: 1 }, {}, {}, { attempt: 4 }])
  })

  test('is not reported again and again while it fails in the same way', async () => {
    const { logged } = await tryTimes(7, async (attempt) => {
      throw new Error(attempt < 5 ? 'no server' : 'another reason')
    })
    expect(logged.map(({ message }) => message)).toEqual(['no server', 'another reason'])
  })

  test('runs again when it ends by itself', async () => {
    expect((await tryTimes(3, async () => {})).attempts).toBe(3)
  })

  test('counts its attempts anew once it was healthy', async () => {
    const { logged } = await tryTimes(6, async (attempt, healthy) => {
      if (attempt === 3) healthy()
      throw new Error(`failure ${attempt}`)
    })
    expect(logged.map(({ message, attempt }) => [message, attempt])).toEqual([
      ['failure 1', 1],
      ['failure 2', 2],
      ['failure 3', undefined],
      ['failure 4', 1],
      ['failure 5', 2],
    ])
  })

  test.each([
    ['a defect of the program', new TypeError('x is not a function')],
    ['something that is no error', 'text'],
  ])('runs again after %s', async (_, thrown) => {
    const { attempts } = await tryTimes(3, async () => {
      throw thrown
    })
    expect(attempts).toBe(3)
  })

  test('does not run when it is aborted before', async () => {
    let ran = false
    await keepTrying(
      async () => {
        ran = true
      },
      { ...options, signal: AbortSignal.abort(), logger: silentLogger },
    )
    expect(ran).toBe(false)
  })

  test('ends without waiting out its pause when it is aborted', async () => {
    const stop = new AbortController()
    const failed = Promise.withResolvers<void>()
    const ended = keepTrying(
      async () => {
        throw new Error('no')
      },
      {
        ...options,
        minDelayMs: 600_000,
        maxDelayMs: 600_000,
        signal: stop.signal,
        logger: { ...silentLogger, warn: () => failed.resolve() },
      },
    )
    await failed.promise
    stop.abort()
    await ended
  })
})
