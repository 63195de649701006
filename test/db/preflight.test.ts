import { describe, expect, test } from 'vitest'
import { requireUsableServer, type ServerFacts, walLevelWarning } from '../../src/db/preflight.ts'

const usable: ServerFacts = {
  versionNumber: 180_004,
  version: '18.4',
  inRecovery: false,
  walLevel: 'logical',
  systemIdentifier: '7500000000000000001',
  database: 'shop',
  databaseOid: '16384',
}

describe('a server', () => {
  test.each([
    [140_000, '14.0'],
    [180_004, '18.4'],
  ])('of version %d is usable', (versionNumber, version) => {
    expect(() => requireUsableServer({ ...usable, versionNumber, version })).not.toThrow()
  })

  test('before version 14 is refused', () => {
    const old = { ...usable, versionNumber: 130_022, version: '13.22' }
    expect(() => requireUsableServer(old)).toThrow(
      expect.objectContaining({
        code: 'SERVER_VERSION_UNSUPPORTED',
        message: 'PostgreSQL 13.22 is too old: tidemark needs 14 or newer',
        details: { found: '13.22', required: '14' },
      }),
    )
  })

  test('that is a standby is refused', () => {
    expect(() => requireUsableServer({ ...usable, inRecovery: true })).toThrow(
      expect.objectContaining({
        code: 'DATABASE_READ_ONLY',
        message: 'database "shop" is on a standby: connect to the primary',
        details: { target: 'shop' },
      }),
    )
  })

  test.each(['minimal', 'replica'])('with wal_level %s is usable, with a warning', (walLevel) => {
    expect(() => requireUsableServer({ ...usable, walLevel })).not.toThrow()
    expect(walLevelWarning({ ...usable, walLevel })).toBe(
      `wal_level is "${walLevel}": workers order events by polling, as exactly but later than with ` +
        '"logical". To change it: alter system set wal_level = logical; then restart the server.',
    )
  })

  test('with wal_level logical gives no warning', () => {
    expect(walLevelWarning(usable)).toBeUndefined()
  })
})
