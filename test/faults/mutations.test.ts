import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { brokenSettings, controls } from './controls.ts'
import { type MutationName, mutatedFiles, mutations } from './mutations.ts'

test.for(Object.keys(mutations) as MutationName[])(
  'the mutation "%s" finds each of its texts in the product, once',
  async (name) => {
    for (const { path, mutate } of mutatedFiles([name])) {
      const source = await readFile(path, 'utf8')
      expect(mutate(source)).not.toBe(source)
    }
  },
)

test('several mutations of one file are all made', () => {
  const names = ['no-compare-and-set', 'order-by-xid'] as const
  const paths = mutatedFiles(names).map(({ path }) => path)
  expect(new Set(paths).size).toBe(paths.length)
})

test('a mutation whose text is not there, or there twice, is refused', async () => {
  const [file] = mutatedFiles(['confirm-one-byte-more'])
  const source = await readFile(file?.path ?? '', 'utf8')
  expect(() => file?.mutate('')).toThrow('0 times, not once')
  expect(() => file?.mutate(source + source)).toThrow('2 times, not once')
})

test('each control is one that breaks the product and has rules to break', () => {
  expect(controls.map(({ name }) => name)).toEqual([
    'confirm-one-byte-more',
    'no-visibility-check',
    'fixed-slot-name',
    'order-by-xid',
    'no-compare-and-set',
    'no-debts-refused',
    'no-turns-inline',
    'no-wait-for-the-head',
    'no-holding-back',
    'any-number-of-partitions',
    'no-confirmation',
  ])
  for (const control of controls) {
    expect(control.rules.length).toBeGreaterThan(0)
    expect(control.settings.mutations).not.toContain(control.name)
    expect(brokenSettings(control).mutations).toContain(control.name)
  }
})
