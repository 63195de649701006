import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { CloudEvent } from '../../../src/outbox/cloud-event.ts'
import { toCloudEvent } from '../../../src/outbox/cloud-event.ts'
import type { OutboxMessage, Publisher } from '../../../src/outbox/publisher.ts'
import { until } from '../../support/until.ts'
import { message, messages, padding } from '../messages.ts'
import { isAvailable } from './brokers/available-brokers.ts'
import type { BrokerKind, BrokerUnderTest } from './brokers/broker-under-test.ts'

const never = new AbortController().signal
const failed = { code: 'PUBLISH_FAILED' }

/** What every publisher has to do, tested against a real broker. */
export async function testConformance(kind: BrokerKind): Promise<void> {
  describe.skipIf(!(await isAvailable(kind)))(`the publisher to ${kind.name}`, () => {
    test('has every message arrive, in the order of its key', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher()
      const sent = [...messages(300, 7), ...messages(100, 1), ...messages(100, 100)]
      const unkeyed = [message(), message(), message({ key: '' })]

      await publisher.publish([...sent, ...unkeyed], never)
      await publisher.publish([], never)

      const received = await untilReceived(broker, [...sent, ...unkeyed])
      expect(received).toHaveLength(sent.length + unkeyed.length)
      expectOrderPerKey(received, sent)
    })

    test.each(['structured', 'binary'] as const)(
      'puts messages into %s CloudEvents',
      async (mode) => {
        await using broker = await kind.start()
        await using publisher = await broker.openPublisher({ mode })
        const sent = [
          message({ key: 'a', headers: { correlationId: 'c', causationId: 'd', 'X-Tenant': 't' } }),
          message({ data: ['a', 1, null, { b: true }] }),
          message({ data: null, headers: {} }),
        ]
        await publisher.publish(sent, never)
        const received = await untilReceived(broker, sent)
        const byId = new Map(received.map((event) => [event.id, event]))
        for (const one of sent) expect(byId.get(one.id)).toEqual(toCloudEvent(one, '/test'))
      },
    )

    test.each(['structured', 'binary'] as const)('carries any text, %s', async (mode) => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher({ mode })
      const sent = message({
        topic: 'bestellungen.größe.geändert',
        key: 'schlüssel-日本語 "50 %"',
        data: { text: 'naïve 😀 \u0000 \n "quoted"' },
        headers: { tenant: 'Ærøskøbing 😀, 100%' },
      })
      await publisher.publish([sent], never)
      const [received] = await untilReceived(broker, [sent])
      expect(received).toEqual(toCloudEvent(sent, '/test'))
    })

    test('fails while there is no broker, and publishes once there is one', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher()
      const sent = messages(20, 3)
      broker.proxy.down()
      await expect(publisher.publish(sent, never)).rejects.toMatchObject(failed)
      await expect(publisher.publish(sent, never)).rejects.toMatchObject(failed)
      broker.proxy.heal()
      await publisher.publish(sent, never)
      expectOrderPerKey(await untilReceived(broker, sent), sent)
    })

    test('does not take for published what the broker has not confirmed', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher({ confirmTimeoutMs: 500 })
      const [first, ...sent] = messages(10, 3) as [OutboxMessage, ...OutboxMessage[]]
      await publisher.publish([first], never)
      broker.proxy.silence()
      await expect(publisher.publish(sent, never)).rejects.toMatchObject(failed)
      broker.proxy.heal()
      await publishAll(publisher, sent)
      expectOrderPerKey(await untilReceived(broker, sent), sent)
    })

    test('loses nothing and keeps the order when connections are cut in the middle', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher({ confirmTimeoutMs: 2_000, inFlight: 50 })
      const sent = messages(1_000, 20)
      for (let from = 0; from < sent.length; from += 250) {
        broker.proxy.breakAfter(20_000 + 7_001 * (from / 250))
        await publishAll(publisher, sent.slice(from, from + 250))
      }
      expect(broker.proxy.breaks).toBe(4)
      expectOrderPerKey(await untilReceived(broker, sent), sent)
    })

    test('goes on after a time without broker, in which connections were lost', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher({ confirmTimeoutMs: 2_000 })
      const before = messages(50, 5)
      await publisher.publish(before, never)
      broker.proxy.down()
      const after = messages(50, 5)
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await expect(publisher.publish(after, never)).rejects.toMatchObject(failed)
      }
      broker.proxy.heal()
      await publisher.publish(after, never)
      expectOrderPerKey(await untilReceived(broker, after), [...before, ...after])
    })

    test('sends a broker that confirms nothing no more than it may have in flight', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher({ confirmTimeoutMs: 700, inFlight: 8 })
      await publisher.publish([message()], never)
      broker.proxy.silence()
      const sent = messages(400, 400, padding(10_000))
      await expect(publisher.publish(sent, never)).rejects.toMatchObject(failed)
      expect(broker.proxy.bytesSent).toBeGreaterThan(5_000)
      expect(broker.proxy.bytesSent).toBeLessThan(8 * 12_000)
    })

    test('waits for a broker that reads nothing, within its time', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher({ confirmTimeoutMs: 700 })
      await publisher.publish([message()], never)
      broker.proxy.stall()
      const sent = messages(100, 10, padding(50_000))
      await expect(publisher.publish(sent, never)).rejects.toMatchObject(failed)
      broker.proxy.heal()
      await publishAll(publisher, sent)
      expectOrderPerKey(await untilReceived(broker, sent), sent)
    })

    test('refuses a message that is too large, and publishes the others', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher()
      const large = message({ key: 'a', ...padding(broker.maxMessageBytes + 1) })
      const others = [...messages(5, 2), ...messages(5, 2)]
      const sent = [...others.slice(0, 5), large, ...others.slice(5)]
      await expect(publisher.publish(sent, never)).rejects.toMatchObject({
        code: 'MESSAGE_REFUSED',
        details: { messageId: large.id, topic: large.topic },
      })
      await publisher.publish(others, never)
      const received = await untilReceived(broker, others)
      expect(received.map(({ id }) => id)).not.toContain(large.id)
      expectOrderPerKey(received, others)
    })

    test('refuses a message that CloudEvents have no room for', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher()
      const odd = message({ headers: { id: 'another' } })
      await expect(publisher.publish([message(), odd], never)).rejects.toMatchObject({
        code: 'MESSAGE_REFUSED',
        details: { messageId: odd.id },
      })
    })

    test('ends at once when it is told to, and can be used again', async () => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher()
      const sent = messages(100, 10)
      await publisher.publish([message()], never)
      broker.proxy.silence()
      const abort = new AbortController()
      const publishing = publisher.publish(sent, abort.signal)
      publishing.catch(() => {})
      await until('something to be sent', () => broker.proxy.bytesSent > 0)
      abort.abort(new Error('enough'))
      await expect(publishing).rejects.toMatchObject({
        code: 'OPERATION_CANCELLED',
        cause: { message: 'enough' },
      })
      await expect(publisher.publish(sent, abort.signal)).rejects.toMatchObject({
        code: 'OPERATION_CANCELLED',
      })
      broker.proxy.heal()
      await publishAll(publisher, sent)
      expectOrderPerKey(await untilReceived(broker, sent), sent)
    })

    test('leaves nothing behind, disposed of twice and while it publishes', async () => {
      await using broker = await kind.start()
      const timersBefore = countTimers()
      const publisher = await broker.openPublisher()
      await publisher.publish([message()], never)
      broker.proxy.silence()
      const publishing = publisher.publish(messages(10, 2), never)
      publishing.catch(() => {})
      await until('something to be sent', () => broker.proxy.bytesSent > 0)
      await publisher[Symbol.asyncDispose]()
      await publisher[Symbol.asyncDispose]()
      await expect(publishing).rejects.toMatchObject(failed)
      await expect(publisher.publish([message()], never)).rejects.toMatchObject(failed)
      await until('its connections to be closed', () => broker.proxy.open === 0)
      await until('its timers to be cleared', () => countTimers() <= timersBefore)
    })

    test('closes its connections while nothing happens on them', async () => {
      await using broker = await kind.start()
      const publisher = await broker.openPublisher()
      await publisher.publish(messages(10, 5), never)
      expect(broker.proxy.open).toBeGreaterThan(0)
      await publisher[Symbol.asyncDispose]()
      await until('them to be closed', () => broker.proxy.open === 0, { timeoutMs: 2_000 })
    })

    test('can be disposed of without having been used', async () => {
      await using broker = await kind.start()
      const publisher = await broker.openPublisher()
      await publisher[Symbol.asyncDispose]()
      expect(broker.proxy.open).toBe(0)
    })

    test.each([kind.manyMessages])('publishes %i messages', { timeout: 60_000 }, async (count) => {
      await using broker = await kind.start()
      await using publisher = await broker.openPublisher()
      const sent = messages(count, 1_000)
      for (let from = 0; from < sent.length; from += 1_000) {
        await publisher.publish(sent.slice(from, from + 1_000), never)
      }
      const received = await untilReceived(broker, sent)
      expect(received).toHaveLength(sent.length)
      expectOrderPerKey(received, sent)
    })
  })
}

/** Counts the timers that keep this process alive. */
function countTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

/** Publishes as a relay does: the same messages again until they are published. */
async function publishAll(publisher: Publisher, sent: readonly OutboxMessage[]): Promise<void> {
  for (let attempts = 0; attempts < 100; attempts += 1) {
    try {
      await publisher.publish(sent, never)
      return
    } catch (error) {
      expect(error).toMatchObject(failed)
      await turn()
    }
  }
  throw new Error('published in vain a hundred times')
}

/** Waits until each message has come at least once; gives all that came, in the order of its coming. */
async function untilReceived(
  broker: BrokerUnderTest,
  sent: readonly OutboxMessage[],
): Promise<readonly CloudEvent[]> {
  return until(
    'all messages to arrive',
    async (saw) => {
      const received = await broker.received()
      const ids = new Set(received.map(({ id }) => id))
      const missing = sent.filter(({ id }) => !ids.has(id))
      saw({ received: received.length, missing: missing.length })
      return missing.length === 0 && received
    },
    { timeoutMs: 20_000, intervalMs: 50 },
  )
}

/** Duplicates left out, messages of one key have come in their order, each as it was sent. */
function expectOrderPerKey(received: readonly CloudEvent[], sent: readonly OutboxMessage[]): void {
  const firsts = new Map<string, CloudEvent>()
  for (const event of received) {
    const first = firsts.get(event.id)
    if (first === undefined) firsts.set(event.id, event)
    else expect(event).toEqual(first)
  }
  const idsOf = (key: string) => sent.filter((one) => one.key === key).map(({ id }) => id)
  const ids = new Set(sent.map(({ id }) => id))
  const arrivedByKey = Map.groupBy(
    [...firsts.values()].filter(({ id }) => ids.has(id)),
    (event) => String(event.partitionkey),
  )
  for (const key of new Set(sent.flatMap((one) => one.key ?? []))) {
    expect(
      arrivedByKey.get(key)?.map(({ id }) => id),
      key,
    ).toEqual(idsOf(key))
  }
}
