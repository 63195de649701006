import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type JobOrigin, openPayload, sealPayload } from '../../src/jobs/job-origin.ts'

const word = fc.string({ minLength: 1 })
const event = fc.record({
  id: fc.uuid(),
  type: word,
  streamId: word,
  position: fc.bigInt({ min: 1n, max: 2n ** 62n }),
})
const origin = fc.record(
  { key: word, reactor: word, correlationId: word, causationId: word, lane: word },
  { requiredKeys: ['key'] },
)

test('what is put into a payload comes out as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue(), origin, fc.option(event), (payload, rest, asked) => {
      // What was asked for by an event has a correlation and a cause.
      const ids = { correlationId: 'request-1', causationId: 'cause-1', ...rest }
      const given: JobOrigin = asked === null ? rest : { ...ids, event: asked }
      const stored = JSON.parse(JSON.stringify(sealPayload(payload, given)))
      expect(Array.isArray(stored)).toBe(false)
      const opened = openPayload(stored)
      expect(opened).toEqual({
        payload: JSON.parse(JSON.stringify(payload)),
        origin: given,
        cron: null,
      })
    }),
  )
})

test('the fields of a payload stand where others look for them', () => {
  expect(sealPayload({ order: 7 }, { key: 'k' })).toEqual({ order: 7, _tidemark: { key: 'k' } })
})

test.for([{ _cron: 1 }, { _tidemark: { key: 'mine' } }])(
  'keeps fields that are named like ours: %j',
  (payload) => {
    const { payload: opened, origin } = openPayload(sealPayload(payload, { key: 'k' }))
    expect({ opened, origin }).toEqual({ opened: payload, origin: { key: 'k' } })
  },
)

test.for<[string, unknown, unknown]>([
  ['a payload of others', { n: 1 }, { n: 1 }],
  ['a list', [1, 2], [1, 2]],
  ['a field of our name that is not ours', { n: 1, _tidemark: 'x' }, { n: 1 }],
  ['one without a key', { n: 1, _tidemark: {} }, { n: 1 }],
])('has no origin: %s', ([, stored, payload]) => {
  expect(openPayload(stored)).toEqual({ payload, origin: null, cron: null })
})
