/** @typedef {"en" | "zh-Hant" | "zh-Hans"} Language */

/** Every text of the dashboard: English, traditional Chinese, simplified Chinese. */
const TEXTS = /** @type {const} */ ({
  overview: ["Overview", "總覽", "总览"],
  chart: ["Chart", "圖表", "图表"],
  positions: ["Positions", "持倉", "持仓"],
  signals: ["Signals", "訊號", "信号"],
  trades: ["Trades", "交易", "交易"],
  models: ["Models", "模型", "模型"],
  settings: ["Settings", "設定", "设置"],
  incidents: ["Incidents", "異常", "异常"],
  data: ["Data", "資料", "数据"],
  log: ["Log", "日誌", "日志"],
  simulated: ["SIMULATED", "模擬", "模拟"],
  paper: ["PAPER", "紙上交易", "纸上交易"],
  live: ["LIVE", "實盤", "实盘"],
  simulatedHint: [
    "An invented or recorded market: no money is at stake.",
    "虛構或錄製的市場，不涉及真實資金。",
    "虚构或录制的市场，不涉及真实资金。",
  ],
  paperHint: [
    "Live prices, invented fills: no money is at stake.",
    "真實行情、模擬成交，不涉及真實資金。",
    "真实行情、模拟成交，不涉及真实资金。",
  ],
  liveHint: ["Real orders with real money.", "真實訂單，真實資金。", "真实订单，真实资金。"],
  equity: ["Equity", "權益", "权益"],
  today: ["today", "今日", "今日"],
  unrealised: ["Unrealised", "未實現損益", "未实现盈亏"],
  drawdown: ["Drawdown", "回撤", "回撤"],
  exposure: ["Exposure", "曝險", "敞口"],
  margin: ["Margin", "保證金", "保证金"],
  winRate: ["Win rate", "勝率", "胜率"],
  profitFactor: ["Profit factor", "獲利因子", "盈利因子"],
  open: ["Open", "持有", "持有"],
  closed: ["closed", "已平倉", "已平仓"],
  virtual: ["Virtual positions", "虛擬持倉", "虚拟持仓"],
  virtualHint: [
    "Every signal is followed, traded or not: this is what the models learn from.",
    "每個訊號都會被追蹤，不論是否下單：模型由此學習。",
    "每个信号都会被跟踪，无论是否下单：模型由此学习。",
  ],
  tradingState: ["Trading", "交易狀態", "交易状态"],
  normal: ["normal", "正常", "正常"],
  cautious: ["cautious", "謹慎", "谨慎"],
  defensive: ["defensive", "防禦", "防御"],
  "reduce-only": ["reduce-only", "僅減倉", "仅减仓"],
  halted: ["halted", "已停止", "已停止"],
  apiBreaker: ["API breaker", "API 斷路器", "API 断路器"],
  breaker: ["breaker", "破壞塊", "破坏块"],
  feedAge: ["Newest bar", "最新K線", "最新K线"],
  behind: ["Loop behind", "迴圈落後", "循环落后"],
  connection: ["Connection", "連線", "连接"],
  up: ["up", "正常", "正常"],
  down: ["down", "中斷", "中断"],
  protection: ["Protection", "保護", "保护"],
  protected: ["protected", "受保護", "受保护"],
  entriesHeld: ["Entries held back", "暫停開倉", "暂停开仓"],
  lease: ["no right to trade", "沒有交易權", "没有交易权"],
  storage: ["nothing can be written", "無法寫入", "无法写入"],
  barred: ["restricted", "受限", "受限"],
  allProtected: ["all protected", "全部受保護", "全部受保护"],
  unprotected: ["unprotected", "未受保護", "未受保护"],
  nothingHeld: ["nothing held", "無持倉", "无持仓"],
  model: ["Model", "模型", "模型"],
  rules: ["rules decide", "由規則決定", "由规则决定"],
  ago: ["ago", "前", "前"],
  pause: ["Pause", "暫停", "暂停"],
  pauseHint: [
    "No new entries; positions stay managed.",
    "不再開新倉；現有持倉照常管理。",
    "不再开新仓；现有持仓照常管理。",
  ],
  resume: ["Resume", "恢復", "恢复"],
  resumeHint: [
    "Trade again. Streaks and drawdown are counted anew.",
    "重新交易。連虧與回撤重新計算。",
    "重新交易。连亏与回撤重新计算。",
  ],
  flatten: ["Flatten", "全部平倉", "全部平仓"],
  flattenHint: [
    "Closes every position at market and goes on trading. Pause first if nothing new is wanted.",
    "以市價平掉所有持倉，並繼續交易。若不想再開新倉，請先暫停。",
    "以市价平掉所有持仓，并继续交易。若不想再开新仓，请先暂停。",
  ],
  kill: ["Kill", "緊急停止", "紧急停止"],
  killHint: [
    "Closes every position, cancels every order and ends the process, after three minutes at the latest. Nothing leads back.",
    "平掉所有持倉、取消所有訂單並結束程式，最遲三分鐘內。無法撤回。",
    "平掉所有持仓、取消所有订单并结束程序，最迟三分钟内。无法撤回。",
  ],
  typeToConfirm: ["Type {word} to confirm", "請輸入 {word} 以確認", "请输入 {word} 以确认"],
  cancel: ["Cancel", "取消", "取消"],
  confirm: ["Confirm", "確認", "确认"],
  actions: ["Actions", "操作", "操作"],
  symbol: ["Symbol", "合約", "合约"],
  all: ["all", "全部", "全部"],
  symbols: ["symbols", "個合約", "个合约"],
  "order-block": ["order-block", "訂單塊", "订单块"],
  gap: ["gap", "缺口", "缺口"],
  break: ["break", "結構突破", "结构突破"],
  sweep: ["sweep", "流動性掃取", "流动性扫取"],
  "disaster-stop": ["disaster-stop", "災難停損", "灾难止损"],
  "working-stop": ["working-stop", "停損", "止损"],
  liquidation: ["liquidation", "強平", "强平"],
  delisted: ["delisted", "下架", "下架"],
  working: ["working", "有效", "有效"],
  sent: ["sent", "已送出", "已发送"],
  cancelling: ["cancelling", "取消中", "取消中"],
  unknown: ["unknown", "未知", "未知"],
  "target-hit": ["target-hit", "達停利", "达止盈"],
  "stop-hit": ["stop-hit", "觸停損", "触止损"],
  expired: ["expired", "已到期", "已到期"],
  side: ["Side", "方向", "方向"],
  long: ["long", "做多", "做多"],
  short: ["short", "做空", "做空"],
  buy: ["buy", "買", "买"],
  sell: ["sell", "賣", "卖"],
  quantity: ["Quantity", "數量", "数量"],
  entry: ["Entry", "進場", "入场"],
  exit: ["Exit", "出場", "出场"],
  mark: ["Mark", "標記價", "标记价"],
  stop: ["Stop", "停損", "止损"],
  target: ["Target", "停利", "止盈"],
  leverage: ["Leverage", "槓桿", "杠杆"],
  result: ["Result", "損益", "盈亏"],
  fees: ["Fees", "手續費", "手续费"],
  funding: ["Funding", "資金費", "资金费"],
  reason: ["Reason", "原因", "原因"],
  setup: ["Set-up", "型態", "形态"],
  confidence: ["Confidence", "信心", "信心"],
  time: ["Time", "時間", "时间"],
  outcome: ["Outcome", "結果", "结果"],
  opened: ["Opened", "開倉", "开仓"],
  why: ["Why", "為什麼", "为什么"],
  whyTitle: ["Why: {symbol} at {time}", "為什麼：{symbol}，{time}", "为什么：{symbol}，{time}"],
  asked: ["What the strategy asked", "策略的檢查", "策略的检查"],
  scores: ["Scores", "分數", "分数"],
  refusedBy: ["Refused by {guard}", "被 {guard} 拒絕", "被 {guard} 拒绝"],
  refused: ["refused", "已拒絕", "已拒绝"],
  noPositions: ["No position is open.", "目前沒有持倉。", "当前没有持仓。"],
  noSignals: [
    "No signal yet. The strategy looks at every closed bar.",
    "尚無訊號。策略會檢查每根收盤K線。",
    "暂无信号。策略会检查每根收盘K线。",
  ],
  noTrades: ["No trade has been closed yet.", "尚無已平倉的交易。", "暂无已平仓的交易。"],
  noIncidents: ["Nothing has gone wrong.", "一切正常。", "一切正常。"],
  noLog: ["Nothing has been said yet.", "尚無日誌。", "暂无日志。"],
  noOrders: ["No order is open.", "沒有掛單。", "没有挂单。"],
  noAudit: ["No operator has done anything yet.", "尚無操作紀錄。", "暂无操作记录。"],
  noModels: [
    "No model decides: the rules of ict do, and every decision says so.",
    "目前沒有模型，由 ict 規則決定。",
    "目前没有模型，由 ict 规则决定。",
  ],
  orders: ["Orders", "訂單", "订单"],
  purpose: ["Purpose", "用途", "用途"],
  state: ["State", "狀態", "状态"],
  trigger: ["Trigger", "觸發價", "触发价"],
  latestSignals: ["Latest signals", "最新訊號", "最新信号"],
  latestIncidents: ["Latest incidents", "最新異常", "最新异常"],
  stateChanges: ["Trading state", "交易狀態變化", "交易状态变化"],
  audit: ["Operators", "操作紀錄", "操作记录"],
  actor: ["Who", "操作者", "操作者"],
  action: ["What", "動作", "动作"],
  from: ["From", "由", "由"],
  to: ["To", "至", "至"],
  byExit: ["By exit", "依出場", "按出场"],
  bySetup: ["By set-up", "依型態", "按形态"],
  wins: ["Wins", "獲利", "盈利"],
  search: ["Search", "搜尋", "搜索"],
  changeable: ["Changeable now", "可即時修改", "可即时修改"],
  restart: ["Needs a restart", "需重新啟動", "需重新启动"],
  save: ["Save", "儲存", "保存"],
  default: ["default", "預設", "默认"],
  allowed: ["allowed", "允許", "允许"],
  onlySafer: [
    "While running, only {way} than at the start.",
    "運行期間只能比啟動時更{way}。",
    "运行期间只能比启动时更{way}。",
  ],
  lower: ["lower", "低", "低"],
  higher: ["higher", "高", "高"],
  startedWith: ["started with", "啟動時為", "启动时为"],
  signIn: ["Sign in", "登入", "登录"],
  signOut: ["Sign out", "登出", "退出"],
  token: ["Token", "權杖", "令牌"],
  tokenHint: [
    "It was shown as a link at the first start, and is in DATA_DIR/admin-token.",
    "首次啟動時以連結顯示，亦存於 DATA_DIR/admin-token。",
    "首次启动时以链接显示，也保存在 DATA_DIR/admin-token。",
  ],
  theme: ["Theme", "主題", "主题"],
  language: ["Language", "語言", "语言"],
  viewer: ["viewer: looking only", "檢視者：僅可查看", "查看者：仅可查看"],
  offline: [
    "The trader does not answer. Trying again.",
    "交易程式沒有回應，正在重試。",
    "交易程序没有响应，正在重试。",
  ],
  showing: ["structure", "結構", "结构"],
  timeframe: ["Timeframe", "週期", "周期"],
  marketTime: ["Market time", "市場時間", "市场时间"],
  skip: ["Skip to the content", "跳到內容", "跳到内容"],
  done: ["Done", "完成", "完成"],
  level: ["Level", "等級", "级别"],
  said: ["Text", "內容", "内容"],
  info: ["info", "資訊", "信息"],
  warning: ["warning", "警告", "警告"],
  alarm: ["alarm", "警報", "警报"],
  hourly: ["Trades per hour", "每小時交易", "每小时交易"],
  hourlyHint: [
    "Trades closed in each hour of the last week; the colour says whether the hour earned.",
    "最近一週每小時平倉的交易數；顏色表示該小時盈虧。",
    "最近一周每小时平仓的交易数；颜色表示该小时盈亏。",
  ],
  daily: ["By day", "按日", "按日"],
  day: ["Day", "日期", "日期"],
  averageR: ["Average R", "平均 R", "平均 R"],
  slippage50: ["Slippage p50, bp", "滑價 p50（基點）", "滑点 p50（基点）"],
  slippage90: ["Slippage p90, bp", "滑價 p90（基點）", "滑点 p90（基点）"],
  unplanned: ["Unplanned stops", "非計畫停損", "非计划止损"],
  latency: ["Latency", "延遲", "延迟"],
  latencyHint: [
    "One step of the core in microseconds, every five minutes: median and 99th percentile.",
    "核心每一步的耗時（微秒），每五分鐘一點：中位數與第 99 百分位。",
    "核心每一步的耗时（微秒），每五分钟一点：中位数与第 99 百分位。",
  ],
  noLatency: ["The first five minutes are being measured.", "正在測量最初的五分鐘。", "正在测量最初的五分钟。"],
  count: ["Times", "次數", "次数"],
  first: ["First", "首次", "首次"],
  last: ["Last", "最近", "最近"],
  bars: ["Bars", "K線", "K线"],
  gaps: ["Gaps", "缺口", "缺口"],
  missing: ["Missing bars", "缺少的K線", "缺少的K线"],
  flat: ["Filled bars", "補齊的K線", "补齐的K线"],
  noData: ["There are no bars yet.", "尚無K線。", "暂无K线。"],
  dataHint: [
    "Bars that memory holds, of the shortest timeframe. Up to ten missing bars are filled with the last price.",
    "記憶體中最短週期的K線。最多十根缺少的K線以最後價格補齊。",
    "内存中最短周期的K线。最多十根缺少的K线以最后价格补齐。",
  ],
  storeLag: ["Database behind", "資料庫落後", "数据库落后"],
  pending: ["Records waiting", "待寫入紀錄", "待写入记录"],
  close: ["Close", "關閉", "关闭"],
  waiting: ["on its way", "處理中", "处理中"],
  entryFilled: ["opened", "已開倉", "已开仓"],
  guardsAsked: ["Guards asked", "風控檢查", "风控检查"],
  features: ["What models see", "模型輸入", "模型输入"],
  regime: ["Regime", "市場狀態", "市场状态"],
});

/** @typedef {keyof typeof TEXTS} TextName */

/** @type {readonly Language[]} */
export const LANGUAGES = ["en", "zh-Hant", "zh-Hans"];
export const LANGUAGE_NAMES = { en: "English", "zh-Hant": "繁體中文", "zh-Hans": "简体中文" };

/** @returns {Language} */
function preferred() {
  const kept = localStorage.getItem("language");
  if (kept === "en" || kept === "zh-Hant" || kept === "zh-Hans") return kept;
  const [first = "en"] = navigator.languages;
  if (!first.startsWith("zh")) return "en";
  return /hant|tw|hk|mo/i.test(first) ? "zh-Hant" : "zh-Hans";
}

let language = preferred();

export function currentLanguage() {
  return language;
}

/** @param {Language} chosen */
export function chooseLanguage(chosen) {
  language = chosen;
  localStorage.setItem("language", chosen);
  document.documentElement.lang = chosen;
}

/**
 * A text in the chosen language.
 * @param {TextName} name
 * @param {Record<string, string>} [values] for the places in braces
 */
export function say(name, values = {}) {
  const text = /** @type {string} */ (TEXTS[name][LANGUAGES.indexOf(language)]);
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

/** A word of the trader, such as a trading state: translated where it can be. @param {string} word */
export function word(word) {
  return Object.hasOwn(TEXTS, word) ? say(/** @type {TextName} */ (word)) : word;
}
