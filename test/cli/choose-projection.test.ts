import { expect, test } from 'vitest'
import { chooseProjection } from '../../src/cli/choose-projection.ts'
import type { AnyProjection } from '../../src/index.ts'

const [first, second, other] = [
  ['orders', 1],
  ['orders', 10],
  ['people', 2],
].map(([name, version]) => ({ name, version })) as unknown as [
  AnyProjection,
  AnyProjection,
  AnyProjection,
]
const all = [second, first, other]

test('takes the newest version', () => {
  expect(chooseProjection(all, 'orders', undefined)).toBe(second)
})

test('takes the version that is asked for', () => {
  expect(chooseProjection(all, 'orders', 1)).toBe(first)
})

test('names the projections that there are', () => {
  expect(() => chooseProjection(all, 'oders', undefined)).toThrow(
    expect.objectContaining({
      code: 'PROJECTION_UNKNOWN',
      message: 'there is no projection "oders"; known: "orders", "people"',
      details: { projection: 'oders', known: ['orders', 'people'] },
    }),
  )
})

test('says that a config has none', () => {
  expect(() => chooseProjection([], 'orders', 1)).toThrow('known: none')
})

test('names the versions that there are', () => {
  expect(() => chooseProjection(all, 'orders', 3)).toThrow(
    expect.objectContaining({
      code: 'PROJECTION_VERSION_UNKNOWN',
      message: 'the config file has no version 3 of projection "orders"; known: 1, 10',
    }),
  )
})
