import { expect, test } from 'vitest'
import { TidemarkError } from '../../src/core/tidemark-error.ts'
import { publishPatiently, type Trouble } from '../../src/outbox/publish-patiently.ts'
import type { OutboxMessage, Publisher } from '../../src/outbox/publisher.ts'

const messages = Array.from({ length: 8 }, (_, n): OutboxMessage => {
  const rest = { topic: 'a', key: null, data: n, headers: {}, recordedAt: new Date(0) }
  return { id: String(n), position: BigInt(n + 1), ...rest }
})

/** A broker that fails at some calls, counted from 1, after it has taken what is said. */
function failingAt(failures: Readonly<Record<number, number>>) {
  const calls: string[][] = []
  const taken: string[] = []
  const publisher: Publisher = {
    publish: async (some) => {
      calls.push(some.map(({ id }) => id))
      const takes = failures[calls.length]
      taken.push(...some.slice(0, takes).map(({ id }) => id))
      if (takes !== undefined) throw new Error(`call ${calls.length} failed`)
    },
    [Symbol.asyncDispose]: async () => {},
  }
  return { publisher, calls, taken }
}

const never = new AbortController().signal

test('all go at once while nothing fails', async () => {
  const broker = failingAt({})
  expect(await publishPatiently(broker.publisher, messages, async () => {}, never)).toBe(true)
  expect(broker.calls).toEqual([['0', '1', '2', '3', '4', '5', '6', '7']])
})

test('after a failure one goes alone, then twice as many; what was confirmed is not sent again', async () => {
  const broker = failingAt({ 1: 3, 2: 0, 5: 1 })
  const troubles: Trouble[] = []
  const onTrouble = async (trouble: Trouble) => {
    troubles.push(trouble)
  }
  expect(await publishPatiently(broker.publisher, messages, onTrouble, never)).toBe(true)
  expect(broker.calls).toEqual([
    ['0', '1', '2', '3', '4', '5', '6', '7'],
    ['0'],
    ['0'],
    ['1', '2'],
    ['3', '4', '5', '6'],
    ['3'],
    ['4', '5'],
    ['6', '7'],
  ])
  expect(new Set(broker.taken).size).toBe(8)
  expect(troubles.map(({ attempts }) => attempts)).toEqual([1, 2, 3])
  expect(new Set(troubles.map(({ since }) => since)).size).toBe(1)
})

test('what the broker refuses for good is told at once', async () => {
  const details = { messageId: '0', topic: 'a', reason: 'too large' }
  const refused = new TidemarkError('MESSAGE_REFUSED', 'no', { details })
  const { publisher, calls } = failingAt({})
  const refusing = {
    ...publisher,
    publish: async (...given: Parameters<Publisher['publish']>) => {
      await publisher.publish(...given)
      throw refused
    },
  }
  const publishing = publishPatiently(refusing, messages, async () => {}, never)
  await expect(publishing).rejects.toBe(refused)
  expect(calls).toHaveLength(1)
})

test('it ends when it is told to', async () => {
  const over = new AbortController()
  const { publisher, calls } = failingAt({ 1: 0 })
  const onTrouble = async () => over.abort()
  expect(await publishPatiently(publisher, messages, onTrouble, over.signal)).toBe(false)
  expect(calls).toHaveLength(1)
})
