import { expect, test } from 'vitest'
import { parseArguments } from './parse-arguments.ts'

const controls = ['first', 'second']
const parse = (...args: string[]) => parseArguments(args, controls, 42)

test('runs the product for two minutes with three workers unless told otherwise', () => {
  expect(parse()).toEqual({ seed: 42, minutes: 2, workers: 3, controls: [], spared: false })
})

test('takes a seed, a time and workers', () => {
  expect(parse('--seed', '7', '--minutes', '0.5', '--workers=5')).toEqual({
    ...{ seed: 7, minutes: 0.5, workers: 5, controls: [], spared: false },
  })
})

test('takes one control, several, or all', () => {
  expect(parse('--control', 'second').controls).toEqual(['second'])
  expect(parse('--control', 'second', '--control', 'first').controls).toEqual(['second', 'first'])
  expect(parse('--controls').controls).toEqual(controls)
  expect(parse('--controls', '--spared')).toMatchObject({ controls, spared: true })
})

test.for([
  [['--seed', 'x'], '--seed is a whole number from 0 to 2147483647, not "x"'],
  [['--seed', '1.5'], '--seed is a whole number'],
  [['--seed', ''], '--seed is a whole number'],
  [['--minutes', '0'], '--minutes is a number from 0.05 to 10000, not "0"'],
  [['--workers', '0'], '--workers is a whole number from 1 to 20, not "0"'],
  [['--control', 'third'], 'no control is named "third"; there are: first, second'],
  [['--spared'], '--spared says how controls are to be run'],
  [['--what'], "Unknown option '--what'"],
  [['what'], "Unexpected argument 'what'"],
] as const)('refuses %s', ([args, message]) => {
  expect(() => parse(...args)).toThrow(message)
})
