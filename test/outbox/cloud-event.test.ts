import { describe, expect, test } from 'vitest'
import { toCloudEvent } from '../../src/outbox/cloud-event.ts'
import { percentEncode } from '../../src/outbox/encode-message.ts'
import { message } from './messages.ts'

const sent = message({
  id: '0197c3a0-0000-7000-8000-000000000001',
  position: 12_345_678_901_234_567_890n,
  key: 'order-1',
  data: { cents: 4200 },
  headers: { correlationId: 'c1', causationId: 'c2', 'X-Tenant': 'north' },
})

test('puts a message into the envelope', () => {
  expect(toCloudEvent(sent, 'https://shop.example/orders')).toEqual({
    specversion: '1.0',
    id: '0197c3a0-0000-7000-8000-000000000001',
    source: 'https://shop.example/orders',
    type: 'orders.order.placed',
    subject: 'order-1',
    time: '2026-01-02T03:04:05.678Z',
    datacontenttype: 'application/json',
    position: '12345678901234567890',
    partitionkey: 'order-1',
    correlationid: 'c1',
    causationid: 'c2',
    xtenant: 'north',
    data: { cents: 4200 },
  })
})

test.each([null, ''])('has no subject for the key %j, which may not be empty', (key) => {
  const event = toCloudEvent({ ...sent, key }, '/shop')
  expect(event).not.toHaveProperty('subject')
  expect(event).not.toHaveProperty('partitionkey')
})

test('keeps to the rules of the specification', () => {
  const event = toCloudEvent(sent, '/shop')
  const { data: _, ...attributes } = event
  for (const [name, value] of Object.entries(attributes)) {
    expect(name).toMatch(/^[a-z0-9]+$/)
    expect(typeof value).toBe('string')
    expect(value).not.toBe('')
  }
  // RFC 3339.
  expect(event.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(JSON.parse(JSON.stringify(event))).toEqual(event)
})

test('is pure', () => {
  expect(toCloudEvent(sent, '/shop')).toEqual(toCloudEvent(sent, '/shop'))
})

describe('refuses', () => {
  test.each([
    ['a header named like an attribute', { headers: { Source: 'x' } }, /header "Source"/],
    ['one named like ours', { headers: { 'partition-key': 'x' } }, /header "partition-key"/],
    ['one named data', { headers: { data_base64: 'x' } }, /header "data_base64"/],
    ['one of no letter', { headers: { '--': 'x' } }, /no letter or digit/],
    ['two of one name', { headers: { 'a-b': '1', ab: '2' } }, /two headers/],
    ['a control character', { headers: { a: 'b\nc' } }, /attribute "a"/],
    ['half a character', { key: '\ud800' }, /attribute "subject"/],
    ['no character', { key: '\ufffe' }, /attribute "subject"/],
    ['no topic', { topic: '' }, /no topic/],
  ] as const)('%s', (_, parts, reason) => {
    const bad = { ...sent, ...parts }
    expect(() => toCloudEvent(bad, '/shop')).toThrow(reason)
    expect(() => toCloudEvent(bad, '/shop')).toThrow(
      expect.objectContaining({ code: 'MESSAGE_REFUSED' }),
    )
  })

  test.each(['', 'a b', 'ä', 'a"b'])('the source "%s"', (source) => {
    expect(() => toCloudEvent(sent, source)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
  })
})

// Examples of the HTTP binding, section 3.1.3.2.
test.each([
  ['Euro € 😀', 'Euro%20%E2%82%AC%20%F0%9F%98%80'],
  ['"quoted"', '%22quoted%22'],
  ['100%', '100%25'],
  ['plain-text/1.0', 'plain-text/1.0'],
])('encodes %s for a header', (value, encoded) => {
  expect(percentEncode(value)).toBe(encoded)
  expect(decodeURIComponent(encoded)).toBe(value)
})
