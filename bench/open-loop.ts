import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchSettings } from './benchmark.ts'

export interface OpenLoop<T> {
  readonly perSecond: number
  readonly seconds: number
  readonly call: (count: number) => Promise<T>
}

/**
 * Calls at a steady rate for some seconds, whether or not the calls before are answered, and waits for
 * all answers.
 *
 * @returns the answers, and how many came a second until the last one.
 */
export async function openLoop<T>(
  { signal }: BenchSettings,
  { perSecond, seconds, call }: OpenLoop<T>,
): Promise<{ readonly rate: number; readonly answers: readonly T[] }> {
  const began = performance.now()
  const calls: Promise<T>[] = []
  const failed = new AbortController()
  while (calls.length < seconds * perSecond && !failed.signal.aborted) {
    signal.throwIfAborted()
    const due = ((performance.now() - began) * perSecond) / 1_000
    while (calls.length <= due) {
      const answer = call(calls.length)
      answer.catch(() => failed.abort())
      calls.push(answer)
    }
    await sleep(1)
  }
  const answers = await Promise.all(calls)
  return { rate: (answers.length * 1_000) / (performance.now() - began), answers }
}
