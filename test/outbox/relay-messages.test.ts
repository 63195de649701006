import { expect, test } from 'vitest'
import { TidemarkError } from '../../src/core/tidemark-error.ts'
import type { OutboxMessage } from '../../src/outbox/publisher.ts'
import { relayMessages } from '../../src/outbox/relay-messages.ts'

/** Messages of the given keys, with positions from 1 and ids m1, m2 …; '-' is none. */
function messages(keys: string): readonly OutboxMessage[] {
  return [...keys].map((key, index) => ({
    id: `m${index + 1}`,
    position: BigInt(index + 1),
    topic: 'noted',
    key: key === '-' ? null : key,
    data: {},
    headers: {},
    recordedAt: new Date(0),
  }))
}

/** A broker that refuses some messages, having taken all before them. */
function broker(refused: readonly string[]) {
  const taken: string[] = []
  const publish = async (some: readonly OutboxMessage[]) => {
    for (const { id, topic } of some) {
      if (refused.includes(id)) {
        const details = { messageId: id, topic, reason: 'no' }
        throw new TidemarkError('MESSAGE_REFUSED', `refused ${id}`, { details })
      }
      if (!taken.includes(id)) taken.push(id)
    }
    return true
  }
  return { taken, publish }
}

const park = { name: 'r', onRefused: 'park' } as const
const stop = { name: 'r', onRefused: 'stop' } as const

test('publishes all when nothing is refused', async () => {
  const { taken, publish } = broker([])
  const relayed = await relayMessages(park, messages('ab-'), new Set(), publish)
  expect(relayed).toEqual({ toPark: [], stopAt: null })
  expect(taken).toEqual(['m1', 'm2', 'm3'])
})

test('parks what is refused with all later ones of its key, and publishes the rest in order', async () => {
  const { taken, publish } = broker(['m2', 'm5'])
  const relayed = await relayMessages(park, messages('abab-b-'), new Set(), publish)
  expect(taken).toEqual(['m1', 'm3', 'm7'])
  expect(relayed?.toPark.map(({ message, error }) => [message.id, error?.code])).toEqual([
    ['m2', 'MESSAGE_REFUSED'],
    ['m4', undefined],
    ['m5', 'MESSAGE_REFUSED'],
    ['m6', undefined],
  ])
})

test('publishes what comes before a refused message of its key', async () => {
  const { taken, publish } = broker(['m4', 'm3'])
  const relayed = await relayMessages(park, messages('aabaa'), new Set(), publish)
  expect(taken).toEqual(['m1', 'm2'])
  expect(relayed?.toPark.map(({ message }) => message.id)).toEqual(['m3', 'm4', 'm5'])
})

test('publishes nothing of a key that is parked already', async () => {
  const { taken, publish } = broker([])
  const relayed = await relayMessages(park, messages('ab'), new Set(['a']), publish)
  expect(taken).toEqual(['m2'])
  expect(relayed?.toPark.map(({ message, error }) => [message.id, error])).toEqual([['m1', null]])
})

test('stops in front of the first that is refused, having published all before it', async () => {
  const { taken, publish } = broker(['m3', 'm4'])
  const relayed = await relayMessages(stop, messages('abcd'), new Set(), publish)
  expect(relayed?.stopAt?.message.id).toBe('m3')
  expect(taken).toEqual(['m1', 'm2'])
})

test('says so when it was aborted', async () => {
  const aborted = async () => false
  expect(await relayMessages(park, messages('a'), new Set(), aborted)).toBeUndefined()
})

test('fails when a message is refused that was not given', async () => {
  const publish = async () => {
    const details = { messageId: 'x', topic: 'noted', reason: 'no' }
    throw new TidemarkError('MESSAGE_REFUSED', 'refused x', { details })
  }
  await expect(relayMessages(park, messages('a'), new Set(), publish)).rejects.toMatchObject({
    code: 'SUBSCRIPTION_FAILED',
  })
})
