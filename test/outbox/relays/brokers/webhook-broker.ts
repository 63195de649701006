import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { CloudEvent } from '../../../../src/outbox/cloud-event.ts'
import { type WebhookOptions, webhook } from '../../../../src/outbox/relays/webhook.ts'
import { verifyWebhook } from '../../../../src/outbox/relays/webhook-signature.ts'
import { startBrokerProxy } from '../../../support/broker-proxy.ts'
import type { BrokerKind, BrokerUnderTest, OpenOptions } from './broker-under-test.ts'

export const webhookSecret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`

/** What the receiver limits bodies to. */
const maxMessageBytes = 1_000_000

export interface WebhookUnderTest extends BrokerUnderTest {
  readonly options: WebhookOptions
  /** Requests, in the order of their coming. */
  readonly requests: readonly IncomingMessage[]
  /** Answers instead of the receiver. */
  answer: ((response: ServerResponse, request: IncomingMessage) => void) | undefined
}

/** Starts a receiver of webhooks. */
export async function startWebhook(): Promise<WebhookUnderTest> {
  const arrived: CloudEvent[] = []
  const requests: IncomingMessage[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request)
    requests.push(request)
    if (underTest.answer !== undefined) return underTest.answer(response, request)
    response.statusCode = statusFor(request, body)
    if (response.statusCode === 204) arrived.push(toEvent(request, body))
    response.end()
  }
  // A request that is broken off is the sender's affair.
  const server = createServer(
    (request, response) => void receive(request, response).catch(() => {}),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await startBrokerProxy({ port: (server.address() as AddressInfo).port })

  const options = { url: `http://127.0.0.1:${proxy.port}/hooks?of=test`, secret: webhookSecret }
  const underTest: WebhookUnderTest = {
    proxy,
    options,
    requests,
    answer: undefined,
    topicPrefix: '',
    maxMessageBytes,
    openPublisher: ({ inFlight, confirmTimeoutMs, mode }: OpenOptions = {}) =>
      webhook({
        ...options,
        ...(inFlight !== undefined && { maxInFlight: inFlight }),
        ...(confirmTimeoutMs !== undefined && { timeoutMs: confirmTimeoutMs }),
        ...(mode !== undefined && { mode }),
      })({ source: '/test' }),
    received: async () => [...arrived],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await proxy[Symbol.asyncDispose]()
    },
  }
  return underTest
}

function statusFor(request: IncomingMessage, body: Buffer): number {
  if (body.length > maxMessageBytes) return 413
  return verifyWebhook(webhookSecret, request.headers, body) ? 204 : 401
}

function toEvent(request: IncomingMessage, body: Buffer): CloudEvent {
  const parsed = JSON.parse(body.toString())
  const attributes = Object.entries(request.headers)
    .filter(([name]) => name.startsWith('ce-'))
    .map(([name, value]) => [name.slice('ce-'.length), decodeURIComponent(String(value))])
  if (attributes.length === 0) return parsed
  return { ...Object.fromEntries(attributes), datacontenttype: 'application/json', data: parsed }
}

export const webhookKind: BrokerKind = {
  name: 'webhook',
  manyMessages: 2_000,
  unavailable: async () => undefined,
  start: startWebhook,
}
