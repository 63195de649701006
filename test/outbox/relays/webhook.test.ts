import { describe, expect, test } from 'vitest'
import type { OutboxMessage } from '../../../src/outbox/publisher.ts'
import { webhook } from '../../../src/outbox/relays/webhook.ts'
import { verifyWebhook } from '../../../src/outbox/relays/webhook-signature.ts'
import { message, messages } from '../messages.ts'
import { startWebhook, webhookKind, webhookSecret } from './brokers/webhook-broker.ts'
import { testConformance } from './conformance.ts'

const never = new AbortController().signal
const context = { source: '/test' }

await testConformance(webhookKind)

describe('a webhook', () => {
  test.each([200, 201, 202, 204, 299])('confirms a message with %i', async (status) => {
    await using receiver = await startWebhook()
    await using publisher = await receiver.openPublisher()
    receiver.answer = (response) => response.writeHead(status).end()
    await publisher.publish([message()], never)
  })

  test.each([400, 401, 403, 404, 410, 413, 422])('refuses a message with %i', async (status) => {
    await using receiver = await startWebhook()
    await using publisher = await receiver.openPublisher()
    receiver.answer = (response) => response.writeHead(status).end('because')
    const sent = message()
    await expect(publisher.publish([sent], never)).rejects.toMatchObject({
      code: 'MESSAGE_REFUSED',
      details: { messageId: sent.id, reason: `the webhook answers ${status}` },
    })
  })

  test.each([408, 409, 425, 429, 500, 502, 503, 504])('is tried again after %i', async (status) => {
    await using receiver = await startWebhook()
    await using publisher = await receiver.openPublisher()
    receiver.answer = (response) => response.writeHead(status).end()
    const sent = message()
    await expect(publisher.publish([sent], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      details: { retryAfterMs: null },
    })
    receiver.answer = undefined
    await publisher.publish([sent], never)
  })

  test.each([301, 302, 303, 307, 308])('is not followed elsewhere by %i', async (status) => {
    await using receiver = await startWebhook()
    await using publisher = await receiver.openPublisher()
    const location = 'http://127.0.0.1:9/elsewhere'
    receiver.answer = (response) => response.writeHead(status, { location }).end()
    await expect(publisher.publish([message()], never)).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message: expect.stringContaining(`to ${location}, which is not followed`),
    })
    expect(receiver.requests).toHaveLength(1)
  })

  test('is left alone for as long as it asks', async () => {
    await using receiver = await startWebhook()
    let now = new Date('2026-03-01T12:00:00Z')
    await using publisher = await webhook({ ...receiver.options, now: () => now })(context)
    receiver.answer = (response) => response.writeHead(429, { 'retry-after': '120' }).end()
    const sent = message()
    const resting = (retryAfterMs: number) => ({
      code: 'PUBLISH_FAILED',
      details: { retryAfterMs },
    })
    await expect(publisher.publish([sent], never)).rejects.toMatchObject(resting(120_000))
    now = new Date('2026-03-01T12:01:59Z')
    await expect(publisher.publish([sent], never)).rejects.toMatchObject(resting(1_000))
    expect(receiver.requests).toHaveLength(1)
    now = new Date('2026-03-01T12:02:00Z')
    receiver.answer = (response) => response.writeHead(204).end()
    await publisher.publish([sent], never)
    expect(receiver.requests).toHaveLength(2)
  })

  test('gets one message of a key after the other, those of several keys at once', async () => {
    await using receiver = await startWebhook()
    await using publisher = await receiver.openPublisher({ inFlight: 8 })
    const sent = messages(60, 4)
    const keyOf = new Map(sent.map(({ id, key }) => [id, String(key)]))
    const open = new Map<string, () => void>()
    let [most, answered, overlaps] = [0, 0, 0]
    // Answers when all four keys wait, or when no more can come.
    receiver.answer = (response, request) => {
      const key = keyOf.get(String(request.headers['webhook-id'])) ?? ''
      if (open.has(key)) overlaps += 1
      open.set(key, () => response.writeHead(204).end())
      most = Math.max(most, open.size)
      const isLast = answered + open.size === sent.length
      if (open.size < 4 && !isLast) return
      answered += open.size
      const waiting = [...open.values()]
      open.clear()
      for (const answer of waiting) answer()
    }
    await publisher.publish(sent, never)
    expect({ most, overlaps }).toEqual({ most: 4, overlaps: 0 })
  })

  test('sends nothing more of a key after a failure', async () => {
    await using receiver = await startWebhook()
    await using publisher = await receiver.openPublisher()
    const sent = messages(3, 1) as [OutboxMessage, OutboxMessage, OutboxMessage]
    const seen: string[] = []
    receiver.answer = (response, request) => {
      seen.push(String(request.headers['webhook-id']))
      response.writeHead(seen.length === 2 ? 500 : 204).end()
    }
    await expect(publisher.publish(sent, never)).rejects.toMatchObject({ code: 'PUBLISH_FAILED' })
    expect(seen).toEqual([sent[0].id, sent[1].id])
  })

  test('is signed with every secret there is', async () => {
    await using receiver = await startWebhook()
    const next = Buffer.alloc(32, 9).toString('base64')
    await using publisher = await webhook({ ...receiver.options, secret: [next, webhookSecret] })(
      context,
    )
    await publisher.publish([message()], never)
    const [request] = receiver.requests
    expect(String(request?.headers['webhook-signature']).split(' ')).toHaveLength(2)
    const stale = { now: () => new Date(Date.now() + 301_000) }
    expect(verifyWebhook(next, request?.headers ?? {}, '{}', stale)).toBe(false)
  })

  test('has an address of http or https, and a secret that is one', async () => {
    const good = { url: 'http://127.0.0.1:9/', secret: webhookSecret }
    for (const bad of [{ url: 'ftp://a/' }, { url: 'a' }, { secret: 'short' }, { secret: [] }]) {
      await expect(webhook({ ...good, ...bad })(context)).rejects.toMatchObject({
        code: 'OPTION_INVALID',
      })
    }
    await expect(webhook(good)({ source: 'not a uri' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})
