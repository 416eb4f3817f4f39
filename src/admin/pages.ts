/** The files of the dashboard. */
export function page(_path: string): Response | undefined {
  return undefined;
}
