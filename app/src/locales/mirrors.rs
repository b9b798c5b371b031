//! Sentences of repositories that live elsewhere.

use super::sentences;
use crate::model::{Mirror, MirrorState};

sentences! {
    mirror: "Mirror" / "미러";
    mirror_below: "The repository lives elsewhere. Berth fetches it, runs what moved there, and tells it how each commit fares." / "저장소가 다른 곳에 있어요. Berth가 가져와서 바뀐 것을 실행하고 커밋 결과를 알려 줘요.";
    mirror_add: "Mirror a repository that lives elsewhere" / "다른 곳의 저장소 미러링";
    mirror_add_below: "You push there from then on, and Berth fetches it. Runs, candidates and releases stay; branches and tags that are not there are removed here with the first fetch." / "그때부터 그곳에 푸시하고 Berth가 가져와요. 실행, 후보, 릴리스는 그대로예요. 그곳에 없는 브랜치와 태그는 처음 가져올 때 여기에서 제거돼요.";
    mirror_add_do: "Mirror it" / "미러링하기";
    mirror_address: "Repository elsewhere" / "다른 곳의 저장소";
    mirror_hint: "To mirror one of GitHub, GitLab, Gitea, Forgejo or plain Git: https://… or git@host:path. Empty: you push to Berth." / "GitHub, GitLab, Gitea, Forgejo나 일반 Git 저장소를 미러링하려면 https://… 또는 git@host:path를 적으세요. 비워 두면 Berth에 푸시해요.";
    mirror_token: "Token for it" / "저장소 토큰";
    mirror_token_hint: "Where it is not open to all, and to set the status of commits. It is kept sealed." / "공개되지 않은 저장소이거나 커밋 상태를 쓸 때 필요해요. 봉인해서 보관해요.";
    mirror_token_kept: "kept" / "보관 중";
    mirror_token_none: "none" / "없음";
    mirror_state: "State" / "상태";
    mirror_never: "Never fetched" / "아직 가져오지 않음";
    mirror_fetching: "Being fetched" / "가져오는 중";
    mirror_up_to_date: "Up to date" / "최신 상태";
    mirror_failing: "Failing" / "실패 중";
    mirror_since: "Since" / "시작";
    mirror_fetched: "Fetched" / "가져온 때";
    mirror_every(seconds): "and every {seconds} s" / "{seconds}초마다";
    mirror_wanted: "It is about to be fetched." / "곧 가져와요.";
    mirror_fetch: "Fetch now" / "지금 가져오기";
    mirror_key: "Deploy key" / "배포 키";
    mirror_key_below: "Add it to the repository there, to read." / "그곳 저장소에 읽기 권한으로 추가하세요.";
    mirror_host_key: "Host key" / "호스트 키";
    mirror_host_key_none: "kept at first sight" / "처음 볼 때 보관";
    mirror_forget_key: "Forget the host key" / "호스트 키 잊기";
    mirror_forge: "Its API" / "API 종류";
    mirror_hook: "Hook" / "훅";
    mirror_hook_none: "It has no secret, so none is believed." / "비밀 값이 없어서 아무것도 믿지 않아요.";
    mirror_hook_make: "Make a secret" / "비밀 값 만들기";
    mirror_hook_new: "Make a new secret" / "새 비밀 값 만들기";
    mirror_hook_made(address): "Secret for hooks to {address}" / "{address} 훅의 비밀 값";
    mirror_statuses: "Commit statuses" / "커밋 상태";
    mirror_statuses_tell: "Tell the forge how each commit fares" / "커밋마다 결과를 포지에 알리기";
    mirror_keep: "Keep" / "저장";
    mirror_told: "told" / "알림";
    mirror_untold: "to be told" / "알릴 예정";
    mirror_nothing_told: "Nothing was to be told yet." / "아직 알린 것이 없어요.";
    mirror_push_there: "It mirrors another repository. Push there; Berth fetches it." / "다른 저장소를 미러링해요. 그곳에 푸시하면 Berth가 가져와요.";
    run_held: "Waits for approval" / "승인 대기";
    run_approve: "Approve this commit" / "이 커밋 승인";
    run_approve_says: "Its stages run what somebody wrote who may not push here: without secrets, without an image. Read the commit first." / "푸시 권한이 없는 사람이 쓴 것을 시크릿과 이미지 없이 실행해요. 먼저 커밋을 읽어 보세요.";
    run_untrusted: "Of somebody who may not push: it gets no secrets and makes no image." / "푸시 권한이 없는 사람의 커밋이라 시크릿을 받지 않고 이미지를 만들지 않아요.";
    run_approved_by(name): "Approved by {name}." / "{name} 님이 승인했어요.";
    on_change(number): "of the proposed change {number}" / "제안된 변경 {number}번,";
    done_approved: "Approved." / "승인했어요.";
    done_fetching: "It is about to be fetched." / "곧 가져와요.";
}

impl super::Lang {
    /// How a mirror is, in a word.
    pub const fn mirror_is(self, mirror: &Mirror) -> &'static str {
        match mirror.state {
            MirrorState::NeverFetched => self.mirror_never(),
            MirrorState::Fetching => self.mirror_fetching(),
            MirrorState::UpToDate => self.mirror_up_to_date(),
            MirrorState::Failing => self.mirror_failing(),
        }
    }
}
