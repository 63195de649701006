import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { StopSignals } from '../../src/cli/stop-signals.ts'

function setUp() {
  const source = new EventEmitter()
  const exits: number[] = []
  const announced: string[] = []
  const clock = { now: 0 }
  const signals = new StopSignals(
    source,
    (code) => exits.push(code),
    () => clock.now,
  )
  const signal = signals.listen((name) => announced.push(name))
  return { source, exits, announced, clock, signals, signal }
}

test('aborts at the first signal and goes on', () => {
  const { source, exits, announced, signals, signal } = setUp()
  expect(signals.received).toBeUndefined()
  source.emit('SIGTERM')
  expect(signal.aborted).toBe(true)
  expect(signals.received).toBe('SIGTERM')
  expect(announced).toEqual(['SIGTERM'])
  expect(exits).toEqual([])
})

test.for([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('ends the process at a second signal, by %s with %i', ([second, code]) => {
  const { source, exits, announced, clock, signals } = setUp()
  source.emit('SIGINT')
  clock.now = 600
  source.emit(second)
  expect(exits).toEqual([code])
  expect(announced).toEqual(['SIGINT'])
  expect(signals.received).toBe('SIGINT')
})

test('takes the echo of a signal for the same one', () => {
  const { source, exits, clock } = setUp()
  source.emit('SIGINT')
  clock.now = 20
  source.emit('SIGINT')
  expect(exits).toEqual([])
})

test('leaves the signals alone until it listens', () => {
  const source = new EventEmitter()
  new StopSignals(source, () => {})
  expect(source.eventNames()).toEqual([])
})
