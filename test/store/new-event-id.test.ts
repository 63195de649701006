import { expect, test } from 'vitest'
import { newEventId } from '../../src/store/new-event-id.ts'

test('ids are of version 7, all different, and in the order of their milliseconds', () => {
  const ids: string[] = []
  const began = Date.now()
  for (let i = 0; i < 100_000; i += 1) ids.push(newEventId())
  const ended = Date.now()
  expect(new Set(ids).size).toBe(ids.length)
  expect(
    ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-/.test(id)),
  ).toBe(true)
  const times = ids.map((id) => Number.parseInt(id.slice(0, 13).replace('-', ''), 16))
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(times[0]).toBeGreaterThanOrEqual(began)
  expect(times.at(-1)).toBeLessThanOrEqual(ended)
})

test('no bit but those of version, variant and the top of the counter is always the same', () => {
  const randoms = Array.from({ length: 2_000 }, () => {
    const hex = newEventId().replaceAll('-', '').slice(12)
    return BigInt(`0x${hex}`)
  })
  const mask = (1n << 80n) - 1n
  const ones = randoms.reduce((all, bits) => all | bits, 0n)
  const zeros = randoms.reduce((all, bits) => all | (~bits & mask), 0n)
  const fixed = (0xfn << 76n) | (1n << 75n) | (0b11n << 62n)
  expect((ones & zeros) | fixed).toBe(mask)
})
