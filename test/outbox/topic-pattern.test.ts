import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPattern, checkTopic, topicMatches } from '../../src/outbox/topic-pattern.ts'
import { matchesByModel, pattern, topic } from './topics.ts'

describe('a topic matches a pattern', () => {
  test.each([
    ['orders.order.placed', 'orders.order.placed', true],
    ['orders.order.placed', 'orders.*.placed', true],
    ['orders.order.item.placed', 'orders.*.placed', false],
    ['orders.placed', 'orders.*.placed', false],
    ['orders', 'orders.#', true],
    ['orders.order.placed', 'orders.#', true],
    ['ordersx', 'orders.#', false],
    ['placed', '#.placed', true],
    ['a.placed.b', '#.placed', false],
    ['a.b.c.d', 'a.#.d', true],
    ['a.d', 'a.#.d', true],
    ['a', '#', true],
    ['a.b', '*', false],
    ['a.b.a.b.c', '#.a.b.#.c', true],
    ['a+b', 'a+b', true],
    ['aab', 'a+b', false],
  ])('%s against %s: %s', (topic, pattern, expected) => {
    expect(topicMatches(topic, pattern)).toBe(expected)
  })

  test('exactly when the definition says so', () => {
    fc.assert(
      fc.property(topic, pattern, (topic, pattern) => {
        expect(topicMatches(topic, pattern)).toBe(matchesByModel(topic, pattern))
      }),
      { numRuns: 2_000 },
    )
  })

  test('in no time, however many words it may pass over', () => {
    const topic = Array.from({ length: 120 }, () => 'a').join('.')
    const pattern = `${Array.from({ length: 40 }, () => '#.a').join('.')}.b`
    expect(topicMatches(topic, pattern)).toBe(false)
  })
})

test.each(['', '.', 'a.', '.a', 'a..b', 'a.*', '#', 'a b', 'a\n', 'a'.repeat(256), '\ud800'])(
  'refuses the topic %j',
  (topic) => {
    expect(() => checkTopic(topic)).toThrow(expect.objectContaining({ code: 'MESSAGE_INVALID' }))
  },
)

test.each(['', 'a..b', 'a*', 'a.#b', 'a b'])('refuses the pattern %j', (pattern) => {
  expect(() => checkPattern('relay', pattern)).toThrow(
    expect.objectContaining({ code: 'DEFINITION_INVALID' }),
  )
})
