import { expect, vi } from 'vitest'

// A crash test starts, kills and restarts processes many times over.
const crashTestMs = 180_000

if (expect.getState().testPath?.endsWith('.crash.test.ts')) {
  vi.setConfig({ testTimeout: crashTestMs, hookTimeout: crashTestMs })
}
