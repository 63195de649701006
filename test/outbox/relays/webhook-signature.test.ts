import { expect, test } from 'vitest'
import { signWebhook, verifyWebhook } from '../../../src/outbox/relays/webhook-signature.ts'

// The example that libraries of Standard Webhooks test themselves with.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
const timestamp = 1614265330
const body = '{"test": 2432232314}'
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

const headers = {
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': signature,
}
const now = () => new Date(timestamp * 1000)

test('signs as Standard Webhooks have it', () => {
  expect(signWebhook(secret, id, timestamp, body)).toBe(signature)
  expect(signWebhook(secret.slice('whsec_'.length), id, timestamp, body)).toBe(signature)
})

test('knows what was signed, by any of several signatures', () => {
  expect(verifyWebhook(secret, headers, body, { now })).toBe(true)
  const several = { ...headers, 'webhook-signature': `v1,AAAA v1a,BBBB ${signature}` }
  expect(verifyWebhook(secret, several, Buffer.from(body), { now })).toBe(true)
})

test.each([
  ['another body', headers, `${body} `],
  ['another id', { ...headers, 'webhook-id': 'msg_1' }, body],
  ['another time', { ...headers, 'webhook-timestamp': String(timestamp + 1) }, body],
  ['no time', { ...headers, 'webhook-timestamp': undefined }, body],
  ['no signature', { ...headers, 'webhook-signature': undefined }, body],
  ['an empty signature', { ...headers, 'webhook-signature': 'v1,' }, body],
])('does not know %s', (_, changed, received) => {
  expect(verifyWebhook(secret, changed, received, { now })).toBe(false)
})

test('does not know what is older than five minutes, or as far ahead', () => {
  const at = (seconds: number) => ({ now: () => new Date((timestamp + seconds) * 1000) })
  expect(verifyWebhook(secret, headers, body, at(300))).toBe(true)
  expect(verifyWebhook(secret, headers, body, at(-300))).toBe(true)
  expect(verifyWebhook(secret, headers, body, at(301))).toBe(false)
  expect(verifyWebhook(secret, headers, body, at(-301))).toBe(false)
})

test('takes no secret that is too short, and does not say it', () => {
  expect(() => signWebhook('c2hvcnQ=', id, timestamp, body)).toThrow(/24 to 64 bytes/)
  expect(() => signWebhook('c2hvcnQ=', id, timestamp, body)).not.toThrow(/c2hvcnQ/)
})
