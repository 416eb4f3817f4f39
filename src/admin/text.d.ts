/** Files of the dashboard are imported as text; their own types are checked by dashboard/tsconfig.json. */
declare module "*.svg" {
  const text: string;
  export default text;
}
declare module "*.mjs" {
  const text: string;
  export default text;
}
declare module "./dashboard/*.js" {
  const text: string;
  export default text;
}
