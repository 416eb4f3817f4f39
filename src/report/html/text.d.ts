/** Style sheets are imported as text and become part of the page. */
declare module "*.css" {
  const text: string;
  export default text;
}
